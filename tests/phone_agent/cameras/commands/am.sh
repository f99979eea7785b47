#!/bin/sh
# The phone's `am`: opens the camera app.
case `cat "$STAND_IN/mode"` in
    noapp) echo "Error: Activity not started, unable to resolve Intent"; exit 0;;
esac
echo "Starting: Intent { act=android.media.action.STILL_IMAGE_CAMERA }"
: > "$STAND_IN/app-open"
