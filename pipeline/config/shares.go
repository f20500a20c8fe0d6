package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Shares reads data.split: percents of training, validation and test. An empty text is zeros.
func Shares(text string) (shares [3]int, err error) {
	if text == "" {
		return shares, nil
	}
	parts, sum := strings.Split(text, "/"), 0
	for i, part := range parts {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || len(parts) != len(shares) {
			return shares, fmt.Errorf(`%q is not three percents of at least 1: write "80/10/10"`, short(text))
		}
		shares[i] = n
		sum += n
	}
	if sum != 100 {
		return shares, fmt.Errorf("%q adds up to %d percent: make it 100", text, sum)
	}
	return shares, nil
}
