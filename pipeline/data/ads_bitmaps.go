package data

import "strings"

// bitmap is a small black-and-white drawing.
type bitmap struct {
	height, width int
	set           []bool // [height, width]
}

func newBitmap(height, width int) bitmap {
	return bitmap{height, width, make([]bool, height*width)}
}

// parseBitmap reads rows parted by "|"; "#" is set.
func parseBitmap(rows string) bitmap {
	lines := strings.Split(rows, "|")
	b := newBitmap(len(lines), len(lines[0]))
	for y, line := range lines {
		for x, c := range line {
			b.set[y*b.width+x] = c == '#'
		}
	}
	return b
}

func parseBitmaps(drawings ...string) []bitmap {
	all := make([]bitmap, len(drawings))
	for i, rows := range drawings {
		all[i] = parseBitmap(rows)
	}
	return all
}

// scaled is the bitmap at size × size, by nearest neighbour.
func (b bitmap) scaled(size int) bitmap {
	out := newBitmap(size, size)
	for y := range size {
		for x := range size {
			out.set[y*size+x] = b.set[y*b.height/size*b.width+x*b.width/size]
		}
	}
	return out
}

// slogan draws text, 6 columns a letter. Bold doubles each stroke to the right, italic slants it.
func slogan(text string, bold, italic bool) bitmap {
	width := 6 * len(text)
	if bold {
		width++
	}
	if italic {
		width += 3
	}
	out := newBitmap(7, width)
	for k := range len(text) {
		letter := adLetters[text[k]]
		for y := range 7 {
			left := 6 * k
			if italic {
				left += (6 - y) / 2
			}
			for x, c := range letter[5*y : 5*y+5] {
				if c != '1' {
					continue
				}
				out.set[y*width+left+x] = true
				if bold {
					out.set[y*width+left+x+1] = true
				}
			}
		}
	}
	return out
}

// The drawings, in the order of adProducts (12 × 12) and adGlyphs (9 × 9).
var (
	adProductBitmaps = parseBitmaps(
		"....####....|....####....|.....##.....|.....##.....|....####....|...######...|...######...|...######...|...######...|...######...|...######...|...######...", // bottle
		"..########..|..#......#..|..#......#..|..#......#..|..#......#..|..#......#..|..#......#..|..#......#..|..#......#..|..########..|..###..###..|..########..", // phone
		"............|.########...|.########...|.#########..|.########.#.|.########.#.|.########.#.|.#########..|.########...|..######....|............|############", // cup
		"............|............|...######...|..##.##.##..|.##..##..##.|############|############|############|.###....###.|.###....###.|..#......#..|............", // car
		"............|.###........|.####.......|.####.......|.######.....|.########...|.##########.|############|############|............|############|............", // shoe
		"............|.####..####.|######.#####|#....##....#|######.#####|#....##....#|######.#####|#....##....#|######.#####|######.#####|.####..####.|............", // book
		".....##.....|....####....|...######...|..########..|.##########.|############|..########..|..##....##..|..##....##..|..########..|..###..###..|..###..###..", // house
		"....####....|..########..|.###....###.|.##......##.|##...##...##|#...####...#|#...####...#|##...##...##|.##......##.|.###....###.|..########..|....####....", // ball
	)
	adGlyphBitmaps = parseBitmaps(
		"....#....|....#....|...###...|#########|.#######.|..#####..|..#####..|.##...##.|.#.....#.", // star
		"...###...|...###...|...###...|#########|#########|#########|...###...|...###...|...###...", // cross
		"..#####..|.##...##.|##.....##|#.......#|#.......#|#.......#|##.....##|.##...##.|..#####..", // ring
		"#########|#########|.#######.|.#######.|..#####..|..#####..|...###...|...###...|....#....", // triangle
		"....#....|...###...|..##.##..|.##...##.|##.....##|.##...##.|..##.##..|...###...|....#....", // diamond
		"..#####..|.####....|####.....|###......|###......|###......|####.....|.####....|..#####..", // moon
	)
)

// adLetters are the letters of the slogans: seven rows of five, "1" is set.
var adLetters = map[byte]string{
	'S': "01111100001000001110000010000111110",
	'A': "01110100011000111111100011000110001",
	'L': "10000100001000010000100001000011111",
	'E': "11111100001000011110100001000011111",
	'N': "10001110011010110011100011000110001",
	'W': "10001100011000110101101011101110001",
	'!': "00100001000010000100001000000000100",
	'F': "11111100001000011110100001000010000",
	'R': "11110100011000111110101001001010001",
	'G': "01110100011000010111100011000101110",
	'I': "01110001000010000100001000010001110",
	'T': "11111001000010000100001000010000100",
}
