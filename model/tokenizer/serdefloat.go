package tokenizer

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// serdeFloat reads a JSON number as Rust's serde_json does, which `tokenizers` reads scores with: digits into
// 64 bits, then one multiplication or division by a power of ten. That misses the nearest float64 by one unit in
// about one score of seven, and such a unit decides between ways to split "aaa" that score alike.
func serdeFloat(number string) (float64, error) {
	digits, negative := strings.CutPrefix(number, "-")
	digits, exp, _ := strings.Cut(strings.ToLower(digits), "e")
	whole, fraction, _ := strings.Cut(digits, ".")
	exponent := 0
	if exp != "" {
		var err error
		if exponent, err = strconv.Atoi(exp); err != nil || exponent > 1e6 || exponent < -1e6 {
			return 0, fmt.Errorf("the number %s is out of range", number)
		}
	}
	var significand uint64
	full := false
	for i := range len(whole) {
		next, fits := appendDigit(significand, whole[i])
		if full = full || !fits; full {
			exponent++
		} else {
			significand = next
		}
	}
	for i := range len(fraction) {
		next, fits := appendDigit(significand, fraction[i])
		if !fits {
			break
		}
		significand = next
		exponent--
	}
	return scale(number, significand, exponent, negative)
}

// appendDigit says false where the digit does not fit 64 bits any more.
func appendDigit(n uint64, digit byte) (uint64, bool) {
	high, low := bits.Mul64(n, 10)
	sum, carry := bits.Add64(low, uint64(digit-'0'), 0)
	return sum, high == 0 && carry == 0
}

func scale(number string, significand uint64, exponent int, negative bool) (float64, error) {
	f := float64(significand)
	for exponent < -308 && f != 0 {
		f /= 1e308
		exponent += 308
	}
	if f != 0 {
		power, err := strconv.ParseFloat("1e"+strconv.Itoa(max(exponent, -exponent)), 64)
		if err != nil {
			return 0, fmt.Errorf("the number %s is out of range", number)
		}
		if exponent < 0 {
			f /= power
		} else {
			f *= power
		}
	}
	if math.IsInf(f, 0) {
		return 0, fmt.Errorf("the number %s is out of range", number)
	}
	if negative {
		f = -f
	}
	return f, nil
}
