#!/bin/sh
# Does what the command of termux-api-package does: takes a camera and one file, makes the file at
# once, hands its unquoted full path to the app, and does not look at what becomes of it.
set -eu
camera=""
if [ "${1-}" = -c ]; then camera="--es camera $2"; shift 2; fi
case $# in
    0) echo "termux-camera-photo: missing file argument"; exit 1;;
    1) : >> "$1";;
    *) echo "termux-camera-photo: too many arguments"; exit 1;;
esac
full=$(realpath $1)
exec termux-api-broadcast CameraPhoto $camera --es file $full
