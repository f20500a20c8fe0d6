package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeepCount(t *testing.T) {
	for name, c := range map[string]struct {
		keep                       Keep
		original, multipleOf, want int
	}{
		"left out":                    {Keep{}, 640, 8, 640},
		"a count":                     {Keep{Units: 44}, 160, 8, 44},
		"a count above":               {Keep{Units: 9}, 4, 1, 9},
		"vision FFN of the job":       {Keep{Share: .33}, 640, 8, 208},
		"language FFN of the job":     {Keep{Share: .33}, 512, 8, 168},
		"never none":                  {Keep{Share: .01}, 5, 1, 1},
		"never below a multiple":      {Keep{Share: .01}, 640, 8, 8},
		"never above the original":    {Keep{Share: .99}, 15, 8, 15},
		"original below one multiple": {Keep{Share: .5}, 5, 8, 5},
		"half of five heads":          {Keep{Share: .5}, 5, 1, 3},
		"all, as a share":             {Keep{Share: 1}, 13, 8, 13},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, c.keep.Count(c.original, c.multipleOf))
		})
	}
}

func TestKeepIsWrittenAsItIsRead(t *testing.T) {
	for _, share := range []string{"33%", "29%", "12.5%", "0.1%", "100%"} {
		v, err := parseShare(share)
		require.NoError(t, err)
		assert.Equal(t, share, keepValue(Keep{Share: v}))
	}
	assert.Equal(t, 44, keepValue(Keep{Units: 44}))
	assert.Equal(t, "100%", keepValue(Keep{}))
}

// vision = "50%" of an inner stage and the table that it stands for are one configuration, with one hash.
func TestBareShareOfInnerStage(t *testing.T) {
	short := parseSmall(t, "stage.0.name=inner", "stage.0.keep.vision=50%")
	long := parseSmall(t, "stage.0.name=inner", `stage.0.keep.vision={ heads = "50%", ffn = "50%" }`)
	assert.Equal(t, TowerKeep{Heads: Keep{Share: .5}, FFN: Keep{Share: .5}}, short.Stages[0].Keep.Vision)
	assert.Equal(t, long, short)
	assert.Equal(t, long.Resolved(), short.Resolved())
	assert.True(t, short.Stages[0].Keep.Language.Whole())
	assert.False(t, short.Stages[0].Keep.Vision.Whole())
}
