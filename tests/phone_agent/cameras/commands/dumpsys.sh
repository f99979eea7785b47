#!/bin/sh
# The phone's `dumpsys`: awake and unlocked, or not.
mode=`cat "$STAND_IN/mode"`
awake=Awake; locked=false
[ "$mode" = asleep ] && awake=Asleep
[ "$mode" = locked ] && locked=true
case "$1" in
    power) echo "  mWakefulness=$awake"; echo "  mWakefulnessChanging=false";;
    window) echo "    mShowingDream=false mDreamingLockscreen=$locked mDreamingSleepToken=null";;
esac
