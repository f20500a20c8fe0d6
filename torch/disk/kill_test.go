package disk_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"espalier/torch/disk"
)

// child is this test binary, started again to do one thing as a process of its own.
func child(t *testing.T, what ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(self, "-test.run=^TestAsChild$")
	command.Env = append(os.Environ(), "DISK_CHILD="+strings.Join(what, "|"))
	return command
}

// TestAsChild is what a child runs.
func TestAsChild(t *testing.T) {
	if os.Getenv("DISK_CHILD") == "" {
		t.Skip("for processes that other tests start")
	}
	what := strings.Split(os.Getenv("DISK_CHILD"), "|")
	switch what[0] {
	case "change": // NAME FOLDER N: make a change, and die before its n-th operation
		n, err := strconv.Atoi(what[3])
		require.NoError(t, err)
		_, restore := interceptAt(n, func(disk.Op, string) error { return dieNow() })
		defer restore()
		require.NoError(t, changes[what[1]].do(what[2]))
	case "hold": // PATH: hold a lock until the parent closes the input
		h, err := disk.Lock(what[1], disk.Exclusive, false)
		require.NoError(t, err)
		fmt.Println("held")
		_, _ = os.Stdin.Read(make([]byte, 1))
		require.NoError(t, h.Unlock())
	}
}

func dieNow() error {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

func TestAKillAtAnyOperation(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			for n := 1; ; n++ {
				folder := c.prepare(t)
				err := child(t, "change", name, folder, strconv.Itoa(n)).Run()
				var died *exec.ExitError
				if err == nil {
					require.Greater(t, n, 2)
					break
				}
				require.ErrorAs(t, err, &died)
				require.Equal(t, -1, died.ExitCode(), "the child died of the signal")
				require.NoError(t, disk.Sweep(folder))
				if found := tree(t, folder); !assert.ObjectsAreEqual(c.before, found) && !assert.ObjectsAreEqual(c.after, found) {
					t.Fatalf("killed before operation %d: %v", n, keys(found))
				}
			}
		})
	}
}

// Until a Sweep, too, there is always one of the two folders at path.
func TestAKillLeavesAFolderAtItsPlace(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		t.Skip("this file system cannot exchange two names: ", err)
	}
	c := changes["ReplaceFolder"]
	for n := 1; ; n++ {
		folder := c.prepare(t)
		if child(t, "change", "ReplaceFolder", folder, strconv.Itoa(n)).Run() == nil {
			break
		}
		found := tree(t, filepath.Join(folder, "m"))
		assert.True(t, len(found) == 2 && found["f"] == "old" || len(found) == 3 && found["f"] == "new", "%d: %v", n, found)
	}
}

func TestSweepLeavesWhatIsAliveOrNotOurs(t *testing.T) {
	folder := t.TempDir()
	dead := filepath.Join(folder, "below", ".f.01234567890123456789.tmp")
	others := map[string]string{".f.tmp": "1", ".f.123": "2", "f.01234567890123456789.tmp": "3"}
	for name, text := range others {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	f, err := disk.Create(filepath.Join(folder, "below", "g"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dead, nil, 0o600))
	require.NoError(t, disk.ReplaceFolder(filepath.Join(folder, "m"), func(tmp string) error {
		require.NoError(t, plainly("x")(filepath.Join(tmp, ".h.01234567890123456789.tmp")))
		return errors.Join(disk.Sweep(folder), os.Remove(filepath.Join(tmp, ".h.01234567890123456789.tmp")), filled(tmp))
	}))
	assert.NoFileExists(t, dead)
	require.NoError(t, f.Commit())
	assert.FileExists(t, filepath.Join(folder, "below", "g"))
	assert.FileExists(t, filepath.Join(folder, "m", "f"))
	for name := range others {
		assert.FileExists(t, filepath.Join(folder, name))
	}
	assert.NoError(t, disk.Sweep(filepath.Join(folder, "none")))
}

func TestLockBetweenProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "lock")
	other := child(t, "hold", path)
	in, err := other.StdinPipe()
	require.NoError(t, err)
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)

	for _, how := range []disk.Mode{disk.Exclusive, disk.Shared} {
		_, err = disk.Lock(path, how, false)
		var taken *disk.ErrLocked
		require.ErrorAs(t, err, &taken)
		assert.Equal(t, disk.ErrLocked{Path: path, PID: other.Process.Pid}, *taken)
	}
	waited := make(chan error)
	go func() {
		h, err := disk.Lock(path, disk.Exclusive, true)
		if err == nil {
			err = h.Unlock()
		}
		waited <- err
	}()
	select {
	case <-waited:
		t.Fatal("the lock was held by another process")
	default:
	}
	require.NoError(t, in.Close())
	require.NoError(t, <-waited)
	require.NoError(t, other.Wait())
}

// A killed holder holds nothing, and its process id, which the file still has, is not blamed.
func TestLockOfAKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	other := child(t, "hold", path)
	in, err := other.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, other.Process.Kill())
	assert.Error(t, other.Wait())
	h, err := disk.Lock(path, disk.Shared, false)
	require.NoError(t, err)
	_, err = disk.Lock(path, disk.Exclusive, false)
	var taken *disk.ErrLocked
	require.ErrorAs(t, err, &taken)
	assert.Zero(t, taken.PID)
	require.NoError(t, h.Unlock())
}
