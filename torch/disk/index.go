package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Index remembers the sums of files, so that a file that has not changed need not be read again. As in git, a file has not
// changed when its size, inode and times of change are the same. The system sets ctime at every change, and no program can set
// it back.
type Index struct {
	file    string
	mu      sync.Mutex
	entries map[string]*entry
	changed bool
}

// entry is what an Index knows of a file.
type entry struct {
	state
	sum  string
	used bool // since the index was opened
}

// state is by what a changed file is known.
type state struct {
	size, mtime, ctime int64 // bytes, ns, ns
	inode              uint64
}

const (
	indexTitle = "espalier index 1\n"
	// A file can change twice within one tick of the file system's clock, and its times then show only one change. FAT's
	// clock, the slowest, ticks every two seconds.
	racy = 2 * time.Second
)

// Variables so that tests need neither wait nor write a million lines.
var (
	now        = time.Now
	maxEntries = 1_000_000
)

// OpenIndex reads an index. One that is missing, or damaged in any bit, is empty: every file is then read again.
func OpenIndex(file string) *Index {
	x := &Index{file: file, entries: map[string]*entry{}}
	if text, err := os.ReadFile(file); err == nil {
		if entries, err := parseIndex(text); err == nil {
			x.entries = entries
		}
	}
	return x
}

// Sum is the SHA-256 of a regular file's content, in hex.
func (x *Index) Sum(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	f, info, err := Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	before := stateOf(info)
	if sum, ok := x.known(path, before); ok {
		return sum, nil
	}
	begun := now()
	sum, _, err := sumOf(f)
	if err != nil {
		return "", err
	}
	if info, err = f.Stat(); err != nil {
		return "", err
	}
	settled := begun.Add(-racy).UnixNano()
	x.mu.Lock()
	defer x.mu.Unlock()
	if stateOf(info) == before && before.mtime < settled && before.ctime < settled {
		x.entries[path] = &entry{state: before, sum: sum, used: true}
		x.changed = true
	}
	return sum, nil
}

func (x *Index) known(path string, s state) (sum string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.entries[path]
	if e == nil || e.state != s {
		return "", false
	}
	e.used = true
	return e.sum, true
}

func stateOf(info fs.FileInfo) state {
	s := info.Sys().(*syscall.Stat_t)
	return state{size: s.Size, mtime: s.Mtim.Nano(), ctime: s.Ctim.Nano(), inode: s.Ino}
}

// Save writes the index. Above a million entries, those that nobody asked for since OpenIndex go.
func (x *Index) Save() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.changed {
		return nil
	}
	text := []byte(indexTitle)
	for path, e := range x.entries {
		if len(x.entries) > maxEntries && !e.used {
			delete(x.entries, path)
			continue
		}
		text = fmt.Appendf(text, "%s %d %d %d %d %s\n", e.sum, e.size, e.mtime, e.ctime, e.inode, strconv.Quote(path))
	}
	own := sha256.Sum256(text)
	if err := Write(x.file, append(text, hex.EncodeToString(own[:])...)); err != nil {
		return err
	}
	x.changed = false
	return nil
}

// parseIndex reads what Save wrote: the last line is the sum of those before it.
func parseIndex(text []byte) (map[string]*entry, error) {
	cut := bytes.LastIndexByte(text, '\n') + 1
	if own := sha256.Sum256(text[:cut]); hex.EncodeToString(own[:]) != string(text[cut:]) || !bytes.HasPrefix(text, []byte(indexTitle)) {
		return nil, errors.New("the index is damaged, or another version's")
	}
	entries := map[string]*entry{}
	for line := range strings.Lines(string(text[len(indexTitle):cut])) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6)
		if len(f) < 6 {
			return nil, fmt.Errorf("%q is no entry", line)
		}
		e := &entry{sum: f[0]}
		path, err := strconv.Unquote(f[5])
		for i, to := range []*int64{&e.size, &e.mtime, &e.ctime} {
			if err == nil {
				*to, err = strconv.ParseInt(f[1+i], 10, 64)
			}
		}
		if err == nil {
			e.inode, err = strconv.ParseUint(f[4], 10, 64)
		}
		if err != nil {
			return nil, err
		}
		entries[path] = e
	}
	return entries, nil
}
