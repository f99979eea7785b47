#!/bin/sh
# The cameras of the phone, by the same app.
exec termux-api-broadcast CameraInfo none
