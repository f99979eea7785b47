#!/bin/sh
# The phone's `input`: the camera key makes a photo while the camera app is open.
echo "$@" >> "$STAND_IN/keys"
[ "$*" = "keyevent 27" ] || exit 0
[ -e "$STAND_IN/app-open" ] || exit 0
count=`cat "$STAND_IN/count" 2>/dev/null || echo 0`
echo $((count + 1)) > "$STAND_IN/count"
folder="$STAND_IN/sdcard/DCIM/Camera"
mkdir -p "$folder"
name="IMG 2026_$count.jpg"
case `cat "$STAND_IN/mode"` in
    deaf) ;;
    double) for each in a b; do cp "$STAND_IN/photo.jpg" "$folder/$each$count.jpg"; done;;
    strange) while read -r each; do cp "$STAND_IN/photo.jpg" "$folder/$each"; done < "$STAND_IN/names";;
    half) head -c 50000 "$STAND_IN/photo.jpg" > "$folder/$name";;
    slow)
        head -c 50000 "$STAND_IN/photo.jpg" > "$folder/$name"
        setsid sh -c 'echo $$ > "$0/app"; while ! grep -q "stat -c" "$0/calls"; do sleep 0.02; done
            cat "$0/photo.jpg" > "$1"' "$STAND_IN" "$folder/$name" </dev/null >/dev/null 2>&1 &
        while [ ! -s "$STAND_IN/app" ]; do sleep 0.02; done;;
    *) { cat "$STAND_IN/photo.jpg"; echo "$count"; } > "$folder/.pending-$name"
       mv "$folder/.pending-$name" "$folder/$name";;
esac
exit 0
