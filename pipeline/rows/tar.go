package rows

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"espalier/model/image"
	"espalier/torch/disk"
)

// maxTexts is the most bytes of a sample's texts: a picture may have thousands of questions.
const maxTexts = 16 << 20

// pictureEnds are the endings of pictures' names. A picture's content says what it is.
var pictureEnds = []string{"png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"}

// readShard reads a WebDataset shard: members whose names are the same up to the first point are a sample, which has a picture and a .json
// with one question, a list of them, or a conversation. Pictures stay where they are, and are read by their offsets.
func readShard(r *reader) {
	f, info, err := disk.Open(r.path)
	if err != nil {
		r.broken(r.path, "cannot be read (%v)", err)
		return
	}
	defer f.Close()
	head := make([]byte, 6)
	if n, _ := f.ReadAt(head, 0); compressed(head[:n]) {
		r.broken(r.path, "the shard is compressed, and pictures are read by their place in it; unpack it to a plain .tar")
		return
	}
	t := tar.NewReader(f)
	s := sample{r: r}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.broken(r.path, "broken behind the member %q (%v): the shard is read no further; write or fetch it again", s.last, err)
			break
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			r.broken(r.path, "cannot be read (%v)", err)
			break
		}
		s.member(h, t, member{r.path, h.Name, at, h.Size}, info.Size())
	}
	s.end()
}

func compressed(head []byte) bool {
	return slices.ContainsFunc([]string{"\x1f\x8b", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd"}, func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) })
}

// sample gathers the members of a shard that belong together: they follow each other.
type sample struct {
	r       *reader
	last    string // member
	key     string
	picture *member
	texts   []byte
	from    string // the member that texts are from
	wrong   bool   // it is at fault, and that has been said
}

// place is a member of the shard.
func (s *sample) place(name string) string { return s.r.path + ": " + name }

// member takes one member of a shard of so many bytes. Folders, links and what belongs to no sample are passed over.
func (s *sample) member(h *tar.Header, body io.Reader, m member, size int64) {
	s.last = h.Name
	folder, base := path.Split(h.Name)
	name, end, pointed := strings.Cut(base, ".")
	if h.Typeflag != tar.TypeReg || name == "" || !pointed || strings.HasPrefix(name, "__") {
		return
	}
	if key := folder + name; key != s.key {
		s.end()
		*s = sample{r: s.r, last: s.last, key: key}
	}
	picture, texts := slices.Contains(pictureEnds, strings.ToLower(end)), strings.ToLower(end) == "json"
	switch {
	case !picture && !texts:
	case !filepath.IsLocal(h.Name):
		s.fault(h.Name, "the member's name leads out of the shard; write it without .. and without / at its beginning")
	case m.size > size-m.at || sparse(h):
		s.fault(h.Name, "the member is not whole in this shard (cut short, or sparse); write or fetch the shard again")
	case picture && s.picture != nil:
		s.fault(h.Name, "a second picture of the sample %q; a question is about one", s.key)
	case picture:
		s.picture = &m
	case s.texts != nil:
		s.fault(h.Name, "a second .json of the sample %q; write a list into one", s.key)
	case m.size > maxTexts:
		s.fault(h.Name, "the member has %d bytes, at most %d of text are read", m.size, maxTexts)
	default:
		data := make([]byte, m.size)
		if _, err := io.ReadFull(body, data); err != nil {
			s.fault(h.Name, "cannot be read (%v)", err)
			return
		}
		s.texts, s.from = bytes.TrimPrefix(data, []byte("\ufeff")), h.Name
	}
}

// sparse members have holes that the shard does not hold.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func (s *sample) fault(name, format string, args ...any) {
	s.wrong = true
	s.r.fault(s.place(name), format, args...)
}

// end takes a sample's rows.
func (s *sample) end() {
	switch {
	case s.wrong || s.picture == nil && s.texts == nil:
		return
	case s.texts == nil:
		s.fault(s.picture.name, `the sample has no %s.json with "question" and "answer"; add it, or remove the picture`, s.key)
		return
	case s.picture == nil:
		s.fault(s.from, "the sample has no picture (%s.png, .jpg, …); add it, or remove the sample", s.key)
		return
	}
	line := lineOf(s.texts)
	at := func(offset int) string { return fmt.Sprintf("%s:%d", s.place(s.from), line(offset)) }
	if bytes.HasPrefix(bytes.TrimSpace(s.texts), []byte("[")) {
		s.r.objects(s.texts, at, *s.picture)
	} else {
		s.r.object(s.texts, at, *s.picture)
	}
}

// member is a picture within a shard.
type member struct {
	shard, name string
	at, size    int64
}

func (m member) String() string { return m.shard + ": " + m.name }

// Sum reads the picture.
func (m member) Sum(Sums) (string, error) { return sumOf(m) }

// Read reads the picture.
func (m member) Read() (data []byte, err error) {
	err = m.with(func(f io.ReaderAt) error {
		data, err = image.ReadAt(f, m.size)
		return err
	})
	return data, err
}

// Check looks at its header and its end.
func (m member) Check() error {
	return m.with(func(f io.ReaderAt) error { return image.CheckAt(f, m.size) })
}

func (m member) with(do func(f io.ReaderAt) error) error {
	f, _, err := disk.Open(m.shard)
	if err != nil {
		return fmt.Errorf("the picture cannot be read: %w", err)
	}
	defer f.Close()
	if err := do(io.NewSectionReader(f, m.at, m.size)); err != nil {
		return fmt.Errorf("%s: %w", m, err)
	}
	return nil
}
