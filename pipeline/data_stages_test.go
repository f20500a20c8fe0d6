package pipeline

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch/torchtest"
)

// The stages see fewer pictures than the teacher: as many as a run with so few training pictures and the same teacher.
func TestStagesOfFewerPictures(t *testing.T) {
	torchtest.Setup(t)
	folder := t.TempDir()
	made := func(name string, set ...string) string {
		out := filepath.Join(folder, name)
		_, err := runWith(context.Background(), tinyConfig(t, out, set...), nil)
		require.NoError(t, err)
		return out
	}
	all := made("all")
	fewer := made("fewer", "data.stages=24")
	assert.NotEqual(t, student(t, all), student(t, fewer))
	loaded := made("loaded", "data.train=24", "teacher={ checkpoint = '"+filepath.Join(all, "teacher")+"' }")
	assert.Equal(t, student(t, loaded), student(t, fewer), "the teacher saw all pictures")
}
