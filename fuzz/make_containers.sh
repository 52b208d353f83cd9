#!/bin/sh
# Small videos, one of each container that is walked, into the folder given: what fuzz_containers mutates.
set -e
mkdir -p "$1"
make() { # name options...
    name=$1
    shift
    ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=64x48:rate=25:duration=1 -f lavfi -i sine=duration=1 -map 0 -map 1? "$@" "$folder/$name"
}
folder=$1
make a.mkv -c:v mpeg4 -c:a aac
make a.flv -c:v flv1 -c:a pcm_s16le
make a.ogv -c:v libtheora -c:a flac
make a.mp4 -c:v mpeg4 -c:a aac -movflags frag_every_frame+empty_moov
make a.asf -c:v wmv2 -c:a wmav2
make a.mpg -c:v mpeg2video -c:a mp2 -f vob
make a.ts -c:v mpeg2video -c:a mp2
ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=64x48:rate=25:duration=1 "$folder/a.gif"
