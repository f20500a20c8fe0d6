package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// On a machine that runs these tests nothing is wrong, and nothing is left behind.
func TestExamine(t *testing.T) {
	torchtest.Setup(t)
	work, cache := t.TempDir(), filepath.Join(t.TempDir(), "not", "yet", "there")
	all := Examine(Places{Cache: cache, Work: work})
	var named []string
	for _, f := range all {
		named = append(named, f.What)
		assert.NotEmpty(t, f.Says, f.What)
		assert.Equal(t, f.State == OK, f.Remedy == "", "%s: what is amiss has a remedy, and nothing else", f.What)
	}
	assert.Equal(t, []string{"libtorch", "CPU", "threads", "memory", "GPU", "cache folder", "disk"}, named)
	assert.Equal(t, OK, all[0].State, all[0].Says)
	left, err := os.ReadDir(work)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// What is amiss is known, and what to do.
func TestJudgements(t *testing.T) {
	for name, c := range map[string]struct {
		f      Finding
		state  State
		remedy string
	}{
		"old CPU":        {judgeCPU("i7", "DEFAULT", ""), Look, "AVX2"},
		"forced CPU":     {judgeCPU("i7", "DEFAULT", "default"), Look, "unset ATEN_CPU_CAPABILITY"},
		"CPU":            {judgeCPU("i7", "AVX2", ""), OK, ""},
		"container":      {judgeThreads(64, 4, 0, ""), Look, "threads = 4"},
		"busy":           {judgeThreads(2, 2, 1.5, ""), Look, "let it end first"},
		"idle":           {judgeThreads(2, 2, .5, ""), OK, ""},
		"no memory":      {judgeMemory(100 << 20), Wrong, "ulimit -v"},
		"little memory":  {judgeMemory(1 << 30), Look, "pipeline -plan"},
		"unknown memory": {judgeMemory(0), Look, "pipeline -plan"},
		"memory":         {judgeMemory(8 << 30), OK, ""},
		"no GPU":         {judgeGPU(0, false, errors.New("none")), OK, ""},
		"GPU":            {judgeGPU(1, true, nil), OK, ""},
		"CPU's libtorch": {judgeGPU(0, true, errors.New("no CUDA library")), Look, "LIBTORCH=folder"},
		"full disk":      {judgeDisk("disk", "/", 1, "free some space"), Wrong, "free some space"},
		"filling disk":   {judgeDisk("disk", "/", 1e9, "free some space"), Look, "free some space"},
		"disk":           {judgeDisk("disk", "/", 1e12, "free some space"), OK, ""},
		"no cache":       {cache(Places{CacheErr: errors.New("HOME is not set")}), Look, "XDG_CACHE_HOME"},
		"foreign cache":  {cache(Places{Cache: "/proc/nothing"}), Look, "store"},
		"foreign folder": {work(Places{Work: "/proc/nothing"}), Wrong, "output"},
	} {
		assert.Equal(t, c.state, c.f.State, "%s: %s", name, c.f.Says)
		assert.Contains(t, c.f.Remedy, c.remedy, name)
	}
	assert.False(t, Sound([]Finding{{State: OK}, {State: Wrong}}))
	assert.True(t, Sound([]Finding{{State: OK}, {State: Look}}))
}
