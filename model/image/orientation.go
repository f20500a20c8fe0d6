package image

// oriented turns and mirrors the picture upright. Orientations 5 to 8 swap width and height.
func (p *RGB) oriented(orientation int) *RGB {
	if orientation == 1 {
		return p
	}
	w, h := p.Width, p.Height
	out := New(w, h)
	if orientation >= 5 {
		out = New(h, w)
	}
	for c := range 3 {
		from, to := p.plane(c), out.plane(c)
		for y := range out.Height {
			for x := range out.Width {
				var sx, sy int
				switch orientation {
				case 2: // mirrored
					sx, sy = w-1-x, y
				case 3: // upside down
					sx, sy = w-1-x, h-1-y
				case 4: // upside down and mirrored
					sx, sy = x, h-1-y
				case 5: // transposed
					sx, sy = y, x
				case 6: // wants a quarter turn clockwise
					sx, sy = y, h-1-x
				case 7: // transposed over the other diagonal
					sx, sy = w-1-y, h-1-x
				case 8: // wants a quarter turn counter-clockwise
					sx, sy = w-1-y, x
				}
				to[y*out.Width+x] = from[sy*w+sx]
			}
		}
	}
	return out
}
