package checkpoint

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
)

// records are the named runs of bytes of a file: the members of a zip archive, or a legacy stream's storages.
type records struct {
	*mapping
	folder  string // the archive's own, with a slash
	members []*zip.File
	named   map[string]*record // by the name within the folder

	lock   sync.Mutex
	last   *record // the compressed record that was asked for last, and its content
	unpack []byte
}

// openArchive reads a zip archive's directory and checks it: every member has a name within the archive's folder and a
// place of its own within the file.
func openArchive(m *mapping) (*records, error) {
	z, err := zip.NewReader(m.file, int64(len(m.data)))
	if err != nil {
		return nil, fmt.Errorf("%w: a zip archive that is damaged or cut short; is the download complete?", err)
	}
	r := &records{mapping: m, members: z.File, named: map[string]*record{}}
	for i, f := range z.File {
		if err := r.addMember(i, f); err != nil {
			return nil, fmt.Errorf("archive member %q: %w", f.Name, err)
		}
	}
	return r, r.checkOverlap()
}

func (r *records) addMember(i int, f *zip.File) error {
	folder, name, ok := strings.Cut(f.Name, "/")
	if path.IsAbs(f.Name) || strings.Contains(f.Name, `\`) || slices.Contains(strings.Split(f.Name, "/"), "..") {
		return fmt.Errorf("the name leads out of the archive")
	}
	if folder == "__MACOSX" || strings.HasSuffix(f.Name, "/") { // what file managers add
		return nil
	}
	if r.folder == "" {
		r.folder = folder
	}
	if !ok || folder != r.folder {
		return fmt.Errorf("not in the folder %q, as all members of a file of PyTorch's are", r.folder)
	}
	if r.named[name] != nil {
		return fmt.Errorf("it is there twice")
	}
	at, err := f.DataOffset()
	if err != nil {
		return err
	}
	if size := uint64(len(r.data)); at < 0 || uint64(at) > size || f.CompressedSize64 > size-uint64(at) {
		return fmt.Errorf("%d bytes at %d lie outside the file's %d; is the download complete?", f.CompressedSize64, at, size)
	}
	entry := &record{at: at, size: int64(f.CompressedSize64)}
	switch f.Method {
	case zip.Store:
		if f.UncompressedSize64 != f.CompressedSize64 {
			return fmt.Errorf("%d bytes are stored as %d", f.UncompressedSize64, f.CompressedSize64)
		}
	case zip.Deflate:
		if f.UncompressedSize64 > maxUnpacked(f.CompressedSize64) {
			return fmt.Errorf("%d bytes would become %d when unpacked: refused as a zip bomb", f.CompressedSize64, f.UncompressedSize64)
		}
		entry.size, entry.packed = int64(f.UncompressedSize64), i+1
	default:
		return fmt.Errorf("compression method %d is not known", f.Method)
	}
	r.named[name] = entry
	return nil
}

// maxUnpacked bounds what a compressed record may become: a pickle and code shrink to a tenth, weights hardly at all.
func maxUnpacked(packed uint64) uint64 { return 1<<20 + 100*packed }

func (r *records) checkOverlap() error {
	type place struct {
		from, to int64
		name     string
	}
	var places []place
	for name, e := range r.named {
		size := e.size
		if e.packed > 0 {
			size = int64(r.members[e.packed-1].CompressedSize64)
		}
		if size > 0 {
			places = append(places, place{e.at, e.at + size, name})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.name, b.name)) })
	for i := 1; i < len(places); i++ {
		if places[i].from < places[i-1].to {
			return fmt.Errorf("archive member %q overlaps %q", r.folder+"/"+places[i].name, r.folder+"/"+places[i-1].name)
		}
	}
	return nil
}

// content is a record's bytes: in the mapping, or unpacked and kept until another compressed one is asked for.
func (r *records) content(e *record) ([]byte, error) {
	if e.packed == 0 {
		return r.data[e.at : e.at+e.size : e.at+e.size], nil
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.last == e {
		return r.unpack, nil
	}
	f := r.members[e.packed-1]
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out := make([]byte, e.size)
	if _, err := io.ReadFull(in, out); err != nil {
		return nil, fmt.Errorf("archive member %q: %w", f.Name, err)
	}
	if n, err := in.Read(make([]byte, 1)); n > 0 || err != io.EOF { // at its end the checksum is compared
		return nil, fmt.Errorf("archive member %q: more bytes than it declares, or damaged", f.Name)
	}
	r.last, r.unpack = e, out
	return out, nil
}

// read is the content of a record of that name; ok is false when there is none.
func (r *records) read(name string) (data []byte, ok bool, err error) {
	e := r.named[name]
	if e == nil {
		return nil, false, nil
	}
	data, err = r.content(e)
	return data, true, err
}

func (r *records) close() error {
	r.last, r.unpack = nil, nil
	return r.mapping.Close()
}
