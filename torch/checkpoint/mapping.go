package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"espalier/torch/disk"
)

// mapping is an open file in memory. The file stays open beside it: what is read through it takes no pages of the mapping.
type mapping struct {
	file *os.File
	data []byte
}

func openMapping(path string) (*mapping, error) {
	f, info, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	m := &mapping{file: f}
	if info.Size() > 0 {
		if m.data, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE); err != nil {
			err = fmt.Errorf("map into memory: %w", err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return m, nil
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
	if m.file == nil {
		return nil
	}
	err := m.file.Close()
	if m.data != nil {
		err = errors.Join(err, syscall.Munmap(m.data))
	}
	m.file, m.data = nil, nil
	return err
}
