#!/bin/sh
# gphoto2 with its own words.
echo "$@" >> "$STAND_IN/calls"
port=""; name=""; action=""
while [ $# -gt 0 ]; do
    case "$1" in
        --port) port=$2; shift;;
        --filename) name=`printf "$2"`; shift;;
        --capture-image-and-download) action=shoot;;
        --auto-detect) action=list;;
        --force-overwrite) ;;
        *) echo "Bad argument $1" >&2; exit 1;;
    esac
    shift
done
mode=`cat "$STAND_IN/mode"`
if [ "$action" = list ]; then
    printf 'Model                          Port\n'
    printf -- '----------------------------------------------------------\n'
    [ "$mode" = none ] || printf 'Canon EOS 100D                 usb:001,005     \n'
    [ "$mode" = two ] && printf 'Nikon DSC D90                  usb:001,006     \n'
    exit 0
fi
fail() {
    printf '\n*** Error ***\n%s\nERROR: Could not capture image.\n' "$1" >&2
    printf 'ERROR: Could not capture.\n*** Error (%s) ***\n\n' "$2" >&2
    printf 'For debugging messages, please use the --debug option.\n' >&2
    exit 1
}
case "$mode" in
    none) printf '*** Error: No camera found. ***\n\n' >&2; exit 1;;
    claimed) fail "An error occurred in the io-library ('Could not claim the USB device')" -53;;
    phone) fail "Sorry, your camera does not support generic capture" -6;;
    denied) fail "PTP Access Denied" -1;;
    blurred) fail "Canon EOS Capture failed to release: Perhaps no focus?" -1;;
    strange) fail "Something new" -1;;
    nothing) exit 0;;
    raw) printf 'II*\0raw' > "$name"; exit 0;;
    hang) echo $$ >> "$STAND_IN/pids"; exec sleep 600;;
esac
count=`cat "$STAND_IN/count" 2>/dev/null || echo 0`
echo $((count + 1)) > "$STAND_IN/count"
echo "New file is in location /capt0000.jpg on the camera"
{ cat "$STAND_IN/photo.jpg"; echo "$count"; } > "$name"
echo "Saving file as $name"
