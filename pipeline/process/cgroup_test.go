package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tightest limit on the way to the root counts, in both forms of control groups, and from inside a container.
func TestLeftInGroups(t *testing.T) {
	cases := map[string]struct {
		files   map[string]string
		left    int64
		limited bool
	}{
		"no groups":        {},
		"none has a limit": {files: map[string]string{"proc/self/cgroup": "0::/a\n", "groups/a/memory.max": "max\n", "groups/a/memory.current": "5\n"}},
		"of the group": {files: map[string]string{"proc/self/cgroup": "0::/a/b\n", "groups/a/b/memory.max": "1000\n", "groups/a/b/memory.current": "300\n",
			"groups/a/b/memory.stat": "anon 200\ninactive_file 40\nactive_file 60\n"}, left: 740, limited: true},
		"of the one above": {files: map[string]string{"proc/self/cgroup": "0::/a/b\n", "groups/a/b/memory.max": "max\n", "groups/a/b/memory.current": "300\n",
			"groups/a/memory.max": "900\n", "groups/a/memory.current": "700\n"}, left: 200, limited: true},
		"a container's": {files: map[string]string{"proc/self/cgroup": "0::/../../docker/x\n", "groups/memory.max": "800\n", "groups/memory.current": "100\n"}, left: 700, limited: true},
		"the old form": {files: map[string]string{"proc/self/cgroup": "3:cpu:/a\n2:memory:/a\n0::/\n", "groups/memory/a/memory.limit_in_bytes": "600\n",
			"groups/memory/a/memory.usage_in_bytes": "590\n", "groups/memory/a/memory.stat": "inactive_file 1\ntotal_inactive_file 20\n",
			"groups/memory/memory.limit_in_bytes": "9223372036854771712\n", "groups/memory/memory.usage_in_bytes": "9\n"}, left: 30, limited: true},
		"more used than allowed": {files: map[string]string{"proc/self/cgroup": "0::/\n", "groups/memory.max": "10\n", "groups/memory.current": "12\n"}, left: 1, limited: true},
	}
	for name, c := range cases {
		root := t.TempDir()
		for path, text := range c.files {
			path = filepath.Join(root, path)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
		left, limited := leftInGroups(filepath.Join(root, "proc"), filepath.Join(root, "groups"))
		assert.Equal(t, c.limited, limited, name)
		if c.limited {
			assert.Equal(t, c.left, left, name)
		}
	}
}
