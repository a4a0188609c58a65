package repo

import (
	"slices"
	"strings"
	"testing"
)

// The top level is part of the design: six nouns and Go's own internal.
var topLevel = []string{
	"analysis", "cmd", "deployments", "flags", "internal", "rules", "steps",
	".ci", ".editorconfig", ".gitattributes", ".github", ".gitignore", ".golangci.yml", "action.yml",
	"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "go.mod", "go.sum",
}

func TestTopLevelHasTheSixNounsAndNothingElse(t *testing.T) {
	for _, path := range files(t) {
		if top, _, _ := strings.Cut(path, "/"); !slices.Contains(topLevel, top) {
			t.Errorf("%s: no place for %q at the top level", path, top)
		}
	}
}

func TestMainOnlyBeginsAndEndsTheProcess(t *testing.T) {
	if lines := strings.Count(read(t, "cmd/serin/main.go"), "\n"); lines > 40 {
		t.Errorf("cmd/serin/main.go has %d lines, limit 40", lines)
	}
}
