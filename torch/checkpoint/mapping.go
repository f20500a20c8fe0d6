package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"espalier/torch/disk"
)

// mapping is a file in memory. The file stays open beside it, where it is asked for: what is read through it takes no pages of the mapping.
type mapping struct {
	file *os.File // nil: closed
	data []byte

	asked              sync.Mutex // of what follows
	askedFrom, askedTo int64      // what the system was asked to read last
}

func openMapping(path string) (*mapping, error) {
	f, info, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	m := &mapping{file: f}
	if info.Size() > 0 {
		if m.data, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE); err != nil {
			err = fmt.Errorf("%s: map into memory: %w", path, err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return m, nil
}

// openMapped is a mapping whose file is closed.
func openMapped(path string) (*mapping, error) {
	m, err := openMapping(path)
	if err != nil {
		return nil, err
	}
	m.file.Close() // it was only read
	m.file = nil
	return m, nil
}

// reading calls f, which reads a range of the mapping. The system is asked for it before, and its pages are given back afterwards, so that
// loading a large file takes little more memory than its tensors.
func (m *mapping) reading(from, bytes int64, f func() error) error {
	m.ahead(from, from+bytes)
	defer m.release(from, from+bytes)
	return f()
}

// readAhead is how far behind a tensor the system is asked to read from the disk, bytes: who loads one loads the next.
const readAhead = 128 << 20

// ahead has the system read a range, and what lies behind it, in large pieces: page by page as they are touched takes half as long again.
func (m *mapping) ahead(from, to int64) {
	page, size := int64(os.Getpagesize()), int64(len(m.data))
	from = from / page * page
	m.asked.Lock()
	defer m.asked.Unlock()
	if m.askedFrom <= from && min(to+readAhead/2, size) <= m.askedTo {
		return
	}
	m.askedFrom, m.askedTo = from, min(to+readAhead, size)
	_ = unix.Madvise(m.data[from:m.askedTo], unix.MADV_WILLNEED) // advice: it is read in any case
}

// release lets go of the pages that lie within a range; they come back from the file if they are read again.
func (m *mapping) release(from, to int64) {
	page := int64(os.Getpagesize())
	from, to = (from+page-1)/page*page, to/page*page
	if from < to {
		_ = unix.Madvise(m.data[from:to], unix.MADV_DONTNEED) // advice: nothing is lost when it is not taken
	}
}

// Close may be called again.
func (m *mapping) Close() error {
	var err error
	if m.file != nil {
		err = m.file.Close()
	}
	if m.data != nil {
		err = errors.Join(err, syscall.Munmap(m.data))
	}
	m.file, m.data = nil, nil
	return err
}
