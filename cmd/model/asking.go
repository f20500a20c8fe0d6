package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"espalier/model"
	"espalier/model/image"
	"espalier/torch/checkpoint"
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

func readAsked(file string, first int) ([]asking, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []asking
	for i, line := range strings.Split(string(data), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var a asking
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, i+1, err)
		}
		a.place = fmt.Sprintf("%s:%d", file, i+1)
		if a.Picture == "" || a.Question == "" {
			return nil, fmt.Errorf(`%s:%d: "file_name" and "question" are needed`, file, i+1)
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
	return checkpoint.WriteFile(filepath.Join(inputs, pixelsName), func(pixels io.Writer) error {
		return checkpoint.WriteFile(filepath.Join(inputs, idsName), func(ids io.Writer) error {
			return s.answerAll(filepath.Dir(file), asked, pixels, ids, out)
		})
	})
}

func (s *speaker) answerAll(folder string, asked []asking, pixels, ids, out io.Writer) error {
	questions, err := s.questions(asked)
	if err != nil {
		return err
	}
	lines := bufio.NewWriter(out)
	for len(asked) > 0 {
		n := min(askedTogether, len(asked))
		var pictures []byte
		for i, a := range asked[:n] {
			rgb, err := image.Load(filepath.Join(folder, a.Picture))
			if err != nil {
				return err
			}
			pictures = append(pictures, rgb.Resize(s.pre.Size, s.pre.Size).Pix...)
			if ids != nil {
				if _, err := fmt.Fprintln(ids, idLine(questions[i])); err != nil {
					return err
				}
			}
		}
		answers, err := s.ask(pictures, questions[:n], pixels)
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
		var err error
		if out[i], err = s.words.Question(a.Question); err != nil {
			return nil, fmt.Errorf("%s: question %q: %w", a.place, a.Question, err)
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
