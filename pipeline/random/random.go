// Package random derives the seeds of a run's random streams.
package random

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Stream is the seed of a random stream of its own for a purpose within a run, such as ("distil", stage, cut): no part of
// a run shifts another's numbers.
func Stream(seed int, purpose ...any) uint64 {
	sum := sha256.Sum256([]byte(fmt.Sprint(append([]any{seed}, purpose...)...)))
	return binary.LittleEndian.Uint64(sum[:8])
}
