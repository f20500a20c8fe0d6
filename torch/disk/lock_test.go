package disk_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/disk"
)

func TestLockBetweenGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			h, err := disk.Lock(path, disk.Exclusive, true)
			if !assert.NoError(t, err) {
				return
			}
			assert.EqualValues(t, 1, inside.Add(1))
			runtime.Gosched() // a chance for others to come in
			inside.Add(-1)
			assert.NoError(t, h.Unlock())
		})
	}
	all.Wait()
}

func TestShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := disk.Lock(path, disk.Exclusive, false)
	require.NoError(t, err)
	_, err = disk.Lock(path, disk.Shared, false)
	assert.EqualError(t, err, (&disk.ErrLocked{Path: path, PID: os.Getpid()}).Error())
	require.NoError(t, first.Share())
	second, err := disk.Lock(path, disk.Shared, false)
	require.NoError(t, err)
	_, err = disk.Lock(path, disk.Exclusive, false)
	assert.EqualError(t, err, path+": another process holds this lock")
	require.NoError(t, first.Unlock())
	require.NoError(t, second.Unlock())
	h, err := disk.Lock(path, disk.Exclusive, false)
	require.NoError(t, err)
	require.NoError(t, h.Unlock())
}

func TestWaitForALockEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	h, err := disk.Lock(path, disk.Exclusive, false)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = disk.LockContext(ctx, path, disk.Exclusive)
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, h.Unlock())
	h, err = disk.Lock(path, disk.Exclusive, true) // who stopped waiting does not keep the lock
	require.NoError(t, err)
	require.NoError(t, h.Unlock())
}

// Who waited for a file that was removed meanwhile locks the one that is there now.
func TestLockOfARemovedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	h, err := disk.LockAfter(path, func() { require.NoError(t, disk.RemoveAll(path)) })
	require.NoError(t, err)
	_, err = disk.Lock(path, disk.Exclusive, false)
	var taken *disk.ErrLocked
	assert.ErrorAs(t, err, &taken)
	require.NoError(t, h.Unlock())
}

// To ask whether a lock is taken neither takes it nor makes its file.
func TestTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	assert.False(t, disk.Taken(path))
	assert.NoFileExists(t, path)
	h, err := disk.Lock(path, disk.Exclusive, false)
	require.NoError(t, err)
	assert.True(t, disk.Taken(path))
	require.NoError(t, h.Share())
	assert.False(t, disk.Taken(path))
	require.NoError(t, h.Unlock())
	assert.False(t, disk.Taken(path))
}
