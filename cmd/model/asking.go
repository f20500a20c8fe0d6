package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"espalier/model"
	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// What -inputs writes, for programs of any language: the normalised pictures as little-endian float32 [questions, 3, size,
// size], and a line of ids a question; where the Q-Former reads it too, its own ids follow behind "|".
const (
	pixelsName = "pixels.bin"
	idsName    = "ids.txt"
)

const askedTogether = 16 // questions

// asking is a line of a -ask file; other keys are a data set's, and passed over.
type asking struct {
	Picture  string `json:"file_name"`
	Question string `json:"question"`
	place    string // file and line
}

// look reads the picture, which is named relative to the folder of the questions, or absolutely; nil where there is none.
func (a asking) look(s *speaker, folder string) ([]byte, error) {
	path := a.Picture
	if path == "" {
		return nil, nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	pixels, err := s.look(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.place, err)
	}
	return pixels, nil
}

func readAsked(file string, first int) ([]asking, error) {
	data, err := textfile.ReadLong(file)
	if err != nil {
		return nil, err
	}
	var out []asking
	for i, line := range strings.Split(string(data), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		a := asking{place: fmt.Sprintf("%s:%d", file, i+1)}
		if !utf8.ValidString(line) {
			return nil, fmt.Errorf("%s: not UTF-8; save the file in that encoding", a.place)
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return nil, fmt.Errorf("%s: %w", a.place, err)
		}
		if a.Question == "" {
			return nil, fmt.Errorf(`%s: "question" is needed`, a.place)
		}
		if out = append(out, a); len(out) == first {
			break
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no question in it", file)
	}
	return out, nil
}

// askAll answers the questions of a file, a JSON line each; pictures are named relative to its folder.
func (s *speaker) askAll(file string, first int, inputs string, out io.Writer) error {
	asked, err := readAsked(file, first)
	if err != nil {
		return usage{err}
	}
	if inputs == "" {
		return s.answerAll(filepath.Dir(file), asked, nil, nil, out)
	}
	return disk.WriteWith(filepath.Join(inputs, pixelsName), func(pixels io.Writer) error {
		return disk.WriteWith(filepath.Join(inputs, idsName), func(ids io.Writer) error {
			return s.answerAll(filepath.Dir(file), asked, pixels, ids, out)
		})
	})
}

func (s *speaker) answerAll(folder string, asked []asking, fed, ids, out io.Writer) error {
	questions, err := s.questions(asked)
	if err != nil {
		return err
	}
	lines := bufio.NewWriter(out)
	for len(asked) > 0 {
		n := min(askedTogether, len(asked))
		var pictures []byte
		for i, a := range asked[:n] {
			pixels, err := a.look(s, folder)
			if err != nil {
				return err
			}
			pictures = append(pictures, pixels...)
			if ids != nil {
				if _, err := fmt.Fprintln(ids, idLine(questions[i])); err != nil {
					return err
				}
			}
		}
		answers, err := s.ask(pictures, questions[:n], fed)
		if err != nil {
			return err
		}
		for i, a := range answers {
			a.Picture, a.Question = asked[i].Picture, asked[i].Question
			if err := json.NewEncoder(lines).Encode(a); err != nil {
				return err
			}
		}
		asked, questions = asked[n:], questions[n:]
	}
	return lines.Flush()
}

// questions are those of all lines: one that cannot be asked is found before the first is answered.
func (s *speaker) questions(asked []asking) ([]model.Question, error) {
	out := make([]model.Question, len(asked))
	for i, a := range asked {
		err := s.CheckPicture(`"file_name"`, a.Picture != "")
		if err != nil {
			return nil, usage{fmt.Errorf("%s: %w", a.place, err)}
		}
		if out[i], err = s.Words.Question(a.Question); err != nil {
			return nil, fmt.Errorf("%s: question %q: %w", a.place, a.Question, err)
		}
		if err := s.Model.CheckQuestion(out[i]); err != nil {
			return nil, usage{fmt.Errorf("%s: %w", a.place, err)}
		}
	}
	return out, nil
}

// idLine is "3 7 12", or "3 7 12 | 5 9".
func idLine(q model.Question) string {
	line := strings.Trim(fmt.Sprint(q.Prompt), "[]")
	if q.Instruction != nil {
		line += " | " + strings.Trim(fmt.Sprint(q.Instruction), "[]")
	}
	return line
}
