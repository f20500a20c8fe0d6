package data

import "math/bits"

// splitmix is the generator splitmix64 (Steele, Lea, Flood 2014). It is written out here, and not taken from a
// library, because data sets and orders must stay the same for ever.
type splitmix struct{ state uint64 }

const golden = 0x9E3779B97F4A7C15 // 2^64 over the golden ratio

func (s *splitmix) next() uint64 {
	s.state += golden
	return mix(s.state)
}

// mix is splitmix64's finalizer.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// n draws from [0, k) as the Python generator of the ads does (by remainder).
func (s *splitmix) n(k int) int { return int(s.next() >> 33 % uint64(k)) }

// span draws from [lo, hi].
func (s *splitmix) span(lo, hi int) int { return lo + s.n(hi-lo+1) }

// below draws from [0, k) without the remainder's bias of note: the high word of a product.
func (s *splitmix) below(k int) int {
	high, _ := bits.Mul64(s.next(), uint64(k))
	return int(high)
}

// unit draws from [0, 1).
func (s *splitmix) unit() float64 { return float64(s.next()>>11) / (1 << 53) }
