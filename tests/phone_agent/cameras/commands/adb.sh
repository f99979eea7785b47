#!/bin/sh
# The client answers for the daemon; `shell` runs its words in a shell, as the phone does, with the
# phone's own programs first and its /sdcard in the state folder.
serial=""
if [ "$1" = -s ]; then serial=$2; shift 2; fi
echo "$@" >> "$STAND_IN/calls"
mode=`cat "$STAND_IN/mode"`
case "$mode" in
    none) echo "adb: no devices/emulators found" >&2; exit 1;;
    unauthorized) echo "adb: device unauthorized." >&2
        echo "This adb server's \$ADB_VENDOR_KEYS is not set" >&2; exit 1;;
    offline) echo "adb: device offline" >&2; exit 1;;
    several) [ -n "$serial" ] || { echo "adb: more than one device/emulator" >&2; exit 1; };;
    daemon) echo "* daemon not running; starting now at tcp:5037" >&2
        echo "* daemon started successfully" >&2;;
esac
if [ -n "$serial" ] && [ "$serial" != PHONE7 ]; then
    echo "adb: device '$serial' not found" >&2; exit 1
fi
command=$1; shift
case "$command" in
    get-serialno) echo PHONE7;;
    shell)
        words=`echo "$*" | sed "s#/sdcard#$STAND_IN/sdcard#g"`
        PATH="$STAND_IN/phone:$PATH" sh -c "$words";;
    pull)
        from=`echo "$1" | sed "s#/sdcard#$STAND_IN/sdcard#g"`
        cat "$from" > "$2" || exit 1
        [ "$mode" = damaged ] && echo x >> "$2"
        echo "$1: 1 file pulled, 0 skipped.";;
    *) echo "adb: unknown command $command" >&2; exit 1;;
esac
