#!/usr/bin/env bash
# dist.sh FOLDER: gathers the commands and all libraries that they need into FOLDER/{bin,lib,licenses}. The folder can be
# moved, to a machine with the same glibc or a later one.
set -euo pipefail
shopt -s nullglob
folder=$1
libtorch=$(readlink build/libtorch)
rm -rf "$folder"
mkdir -p "$folder"/{bin,lib,licenses}

# The first place to look must be the folder itself, not this build.
go build -ldflags='-r $ORIGIN/../lib' -o "$folder/bin/" ./cmd/...
cmake --install build --prefix "$folder" >/dev/null

# What the libraries load besides the system's own. libtorch_cuda is loaded at run time, and so are cuDNN's parts.
needed() { ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// && $3 !~ /^\/(usr\/)?lib/ {print $3}' | sort -u; }
libraries=(build/lib/libespalier.so)
if [ -e "$libtorch/libtorch_cuda.so" ]; then
  libraries+=("$libtorch/libtorch_cuda.so")
  cp -L "$libtorch"/lib{torch_cuda,caffe2_nvrtc}*.so "$folder/lib/"
  cp -L "$libtorch"/../../nvidia/*/lib/*.so* "$folder/lib/"
fi
needed "${libraries[@]}" | while read -r library; do cp -L "$library" "$folder/lib/"; done

# Every licence asks to come along: of libtorch and CUDA, of Go, and of each Go module in the commands.
install -D -m 644 -t "$folder/licenses/go" "$(go env GOROOT)/LICENSE"
for info in "$libtorch"/../../{torch,nvidia_*}-*.dist-info; do
  find "$info" -type f -iregex '.*/\(licen[cs]e\|notice\)[^/]*' -exec install -D -m 644 -t "$folder/licenses/$(basename "$info" .dist-info)" {} +
done
go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/... | sort -u | while read -r module source; do
  find "$source" -maxdepth 1 -type f -iname 'licen[cs]e*' -exec install -D -m 644 -t "$folder/licenses/$module" {} +
done
du -sh "$folder"
