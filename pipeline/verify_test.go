package pipeline

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/fault"
	"espalier/pipeline/report"
	"espalier/torch/torchtest"
)

// A finished run measures as its report says; a report that was changed is found, figure by figure.
func TestVerify(t *testing.T) {
	torchtest.Setup(t)
	out := filepath.Join(t.TempDir(), "run")
	_, err := runWith(context.Background(), tinyConfig(t, out), nil)
	require.NoError(t, err)
	different := func() (all []string) {
		found, err := Verify(context.Background(), out, nil)
		require.NoError(t, err)
		require.Len(t, found, 2)
		for _, v := range found {
			assert.Positive(t, v.Is.LatencyMS.P50)
			all = append(all, v.Different...)
		}
		return all
	}
	assert.Empty(t, different())
	file := filepath.Join(out, "report.json")
	r, err := report.Read(file)
	require.NoError(t, err)
	r.Student.Accuracy["color"] += .125
	r.Teacher.OOD["overall"] += .125
	r.Student.Bytes++
	require.NoError(t, r.Write(file))
	all := different()
	require.Len(t, all, 3)
	assert.Contains(t, all[0], "accuracy out of distribution, overall: the report says ")
	assert.Contains(t, all[1], "bytes: the report says ")
	assert.Contains(t, all[2], "accuracy on test, color: the report says ")

	_, err = Verify(context.Background(), t.TempDir(), nil)
	var input *fault.InputError
	assert.ErrorAs(t, err, &input)
}
