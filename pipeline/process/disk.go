package process

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FreeDisk is how many bytes this user may still write where a folder lies, or where it would be made; 0 where the system does not tell.
func FreeDisk(folder string) int64 {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return 0
	}
	for {
		if _, err := os.Stat(folder); err == nil {
			break
		}
		up := filepath.Dir(folder)
		if up == folder {
			return 0
		}
		folder = up
	}
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
