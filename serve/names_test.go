package serve

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	for _, c := range []struct{ folders, want []string }{
		{[]string{"runs/x/student", "runs/x/teacher/"}, []string{"student", "teacher"}},
		{[]string{"/a/runs/x/student", "/a/runs/y/student", "/a/teacher"}, []string{"x/student", "y/student", "teacher"}},
		{[]string{"/a/x/student", "/b/x/student"}, []string{"a/x/student", "b/x/student"}},
		{[]string{"/student", "/a/student"}, []string{"student", "a/student"}},
	} {
		got, err := names(c.folders)
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
	}
	_, err := names([]string{"runs/x/student", "./runs/y/../x/student/"})
	assert.EqualError(t, err, "runs/x/student is given twice; name each checkpoint once")
}
