//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsBrokenOnPurposeIsThereToBeBroken(t *testing.T) {
	t.Chdir("../../../..")
	for _, p := range append(controlsOf(), phase{name: "main"}) {
		texts := map[string]string{}
		for _, e := range append(append([]edit(nil), quick...), p.edits...) {
			if err := e.apply(texts); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
	}
}

func TestAnEditWithoutItsPieceFailsLoudly(t *testing.T) {
	for text, ok := range map[string]bool{"a b c": true, "a c": false, "b b": false} {
		texts := map[string]string{"f.go": text}
		err := edit{"f.go", "b", "x"}.apply(texts)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "correct the edit") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOnlyTheDirectoryOfARunIsEmptied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := empty(dir); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, marker)); err != nil {
		t.Fatal(err)
	}
	if err := empty(dir); err == nil {
		t.Error("a directory of somebody else's is emptied")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}
