package disk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Keeping state takes at most 3 % of the time.
func TestKeeperIsDue(t *testing.T) {
	for name, c := range map[string]struct {
		keep Keep
		ago  time.Duration
		cost time.Duration
		want bool
	}{
		"nowhere":                 {Keep{Every: time.Second, Steps: 1}, time.Hour, 0, false},
		"never by the clock":      {Keep{Folder: "x"}, time.Hour, 0, false},
		"time":                    {Keep{Folder: "x", Every: 30 * time.Minute}, time.Hour, 0, true},
		"not yet":                 {Keep{Folder: "x", Every: 2 * time.Hour}, time.Hour, 0, false},
		"time, and cheap enough":  {Keep{Folder: "x", Every: time.Second}, time.Hour, time.Minute, true},
		"time, but too expensive": {Keep{Folder: "x", Every: time.Second}, time.Hour, 2 * time.Minute, false},
		"asked for by steps":      {Keep{Folder: "x", Steps: 3}, 0, time.Hour, true},
		"between these":           {Keep{Folder: "x", Steps: 4}, 0, time.Hour, false},
	} {
		k := NewKeeper(c.keep, nil)
		k.last, k.cost = time.Now().Add(-c.ago), c.cost
		assert.Equal(t, c.want, k.Due(6), name)
	}
}
