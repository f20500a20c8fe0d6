package fault

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestInputErrorKeepsItsChain(t *testing.T) {
	err := fmt.Errorf("run: %w", Inputf("data/train/metadata.jsonl: %w: give an existing folder", os.ErrNotExist))
	var input *InputError
	require.ErrorAs(t, err, &input)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.EqualError(t, input, "data/train/metadata.jsonl: file does not exist: give an existing folder")
}

func TestListIsAtMostAScreen(t *testing.T) {
	assert.NoError(t, List(nil))
	var faults []string
	for i := range Screen + 3 {
		faults = append(faults, fmt.Sprint("fault ", i))
	}
	assert.EqualError(t, List(faults[:2]), "fault 0\nfault 1")
	assert.EqualError(t, List(faults[:Screen]), strings.Join(faults[:Screen], "\n"))
	var input *InputError
	require.ErrorAs(t, List(faults), &input)
	assert.EqualError(t, input, strings.Join(faults[:Screen], "\n")+"\nand 3 more")
	assert.Equal(t, "fault 20", faults[Screen], "the caller's list stays as it is")
}
