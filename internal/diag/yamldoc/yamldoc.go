package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/serin-cd/serin/internal/diag"
)

// File is one YAML file being read, with the findings so far.
type File struct {
	Name     string
	Findings diag.Findings
	text     string
	lines    []string
}

// Value is one YAML value and its place. The zero Value stands for an absent one.
type Value struct {
	file *File
	node *yaml.Node
	path string
}

// Parse reads the documents of data. Syntax errors become findings; documents before the error are returned.
func Parse(name string, data []byte) (*File, []Value) {
	f := &File{Name: name, text: string(data), lines: strings.Split(string(data), "\n")}
	var docs []Value
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			return f, docs
		}
		if err != nil {
			f.addSyntax(err)
			return f, docs
		}
		if len(node.Content) == 1 {
			docs = append(docs, Value{file: f, node: node.Content[0]})
		}
	}
}

// Exists reports whether the value was written.
func (v Value) Exists() bool { return v.node != nil }

// Path is where the value stands in the document, for example `rules[0].max`.
func (v Value) Path() string { return v.path }

// Errorf adds an error at the value. The cure may be empty.
func (v Value) Errorf(cure, format string, args ...any) {
	v.Add(diag.Finding{Position: v.Pos(), Severity: diag.Error, Message: v.in(fmt.Sprintf(format, args...)), Cure: cure})
}

// Warnf adds a warning at the value. The cure may be empty.
func (v Value) Warnf(cure, format string, args ...any) {
	v.Add(diag.Finding{Position: v.Pos(), Severity: diag.Warning, Message: v.in(fmt.Sprintf(format, args...)), Cure: cure})
}

// ErrorAt adds an error at an offset inside a string value. The cure may be empty.
func (v Value) ErrorAt(offset int, cure, format string, args ...any) {
	v.Add(diag.Finding{Position: v.At(offset), Severity: diag.Error, Message: v.in(fmt.Sprintf(format, args...)), Cure: cure})
}

// WarnAt adds a warning at an offset inside a string value. The cure may be empty.
func (v Value) WarnAt(offset int, cure, format string, args ...any) {
	v.Add(diag.Finding{Position: v.At(offset), Severity: diag.Warning, Message: v.in(fmt.Sprintf(format, args...)), Cure: cure})
}

// Add adds a finding as it is.
func (v Value) Add(f diag.Finding) {
	if v.file != nil {
		v.file.Findings = append(v.file.Findings, f)
	}
}

func (v Value) in(message string) string {
	if v.path == "" {
		return message
	}
	return v.path + ": " + message
}
