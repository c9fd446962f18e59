# shellcheck shell=bash disable=SC2154
# Copies of an engine's data root, for scripts/engine: a second or so, whatever
# the size of the images. Uses $home, $run, $store and inside() of that script.

# Lists what a copy may share by hard links, since the engine never writes to it
# again: layers of images and, in the containerd store, blobs and every snapshot
# that is not the upper directory of a container. The engine must be running.
shareable() {
  local file key snapshots=./containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots
  cd "$home/data" || return
  for file in image/overlay2/layerdb/sha256/*/cache-id; do
    if [ -e "$file" ]; then echo "./overlay2/$(cat "$file")/diff"; fi
  done
  if [ "$store" = containerd ]; then
    echo ./containerd/daemon/io.containerd.content.v1.content/blobs
    (inside ctr snapshots --snapshotter overlayfs ls) | awk '$NF == "Active" { print $1 }' |
      while read -r key; do (inside ctr snapshots --snapshotter overlayfs mounts /mnt "$key" </dev/null); done |
      sed -n 's|.*upperdir=[^,]*/snapshots/\([0-9]*/fs\).*|\1|p' | sort >"$run/active"
    find $snapshots -mindepth 2 -maxdepth 2 -name fs -printf '%P\n' | sort |
      comm -23 - "$run/active" | sed "s|^|$snapshots/|"
  fi
}

# copy_data FROM TO SHARED hard|soft: what SHARED lists as links, the rest byte for byte (xattrs: overlay keeps its marks
# for opaque directories there). hard: the copy stands on its own. soft: a directory of layers is a symbolic link, which
# takes no time, however many files it has; FROM must stay.
copy_data() {
  local path
  rm -rf "$2"
  mkdir -p "$2"
  tar -C "$1" --sparse --xattrs --xattrs-include='*' --anchored --no-wildcards --exclude-from="$3" -cf - . |
    tar -C "$2" --xattrs --xattrs-include='*' -xpf -
  while read -r path; do
    # the engine writes new blobs beside the old ones
    if [ "$4" = soft ] && [ "${path##*/}" != blobs ]; then
      ln -s "$1/${path#./}" "$2/$path"
    else
      cp -al "$(realpath "$1/$path")" "$2/$path"
    fi
  done <"$3"
}
