#!/bin/sh
# What the app and the connection to it do: `mode` says which. The app is another process: `setsid`
# takes it out of the group that a kill reaches.
echo "$@" >> "$STAND_IN/calls"
api=$1; shift
for word in "$@"; do file=$word; done
mode=`cat "$STAND_IN/mode"`
if [ "$api" = CameraPhoto ] && [ -s "$STAND_IN/modes" ]; then
    mode=`head -n 1 "$STAND_IN/modes"`
    sed -i 1d "$STAND_IN/modes"
fi
if [ "$api" = CameraInfo ]; then
    [ "$mode" = hang ] && exec sleep 600
    cat "$STAND_IN/info"
    exit 0
fi
photo() {
    cat "$STAND_IN/photo.jpg" > "$file"
    echo "$file" >> "$file"
}
case "$mode" in
    photo) photo;;
    same) cat "$STAND_IN/photo.jpg" > "$file";;
    empty) ;;
    small) printf '\377\330\377\331' > "$file";;
    cut) head -c 60000 "$STAND_IN/photo.jpg" > "$file";;
    full) echo "Error writing image: $file: open failed: ENOSPC (No space left on device)";;
    folder) echo "ERROR: The photo directory is not writable";;
    denied) printf '{\n  "error": "Please grant the following permission to use this command:'
            printf ' android.permission.CAMERA"\n}\n';;
    usage) echo "termux-api: cannot connect to the app" >&2; exit 1;;
    flood) while :; do echo "no end of words"; done;;
    late)
        setsid sh -c 'echo $$ >> "$0/app"; while [ ! -e "$0/go" ]; do sleep 0.02; done
            cat "$0/photo.jpg" > "$1"; : > "$0/gone"' "$STAND_IN" "$file" </dev/null >/dev/null 2>&1 &
        exec sleep 600;;
    overtaken)
        photo
        : > "$STAND_IN/go"
        while [ ! -e "$STAND_IN/gone" ]; do sleep 0.02; done;;
    hang)
        trap '' TERM
        sleep 600 &
        echo $! >> "$STAND_IN/pids"
        echo $$ >> "$STAND_IN/pids"
        wait;;
esac
