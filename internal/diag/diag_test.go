package diag_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/internal/diag"
)

func TestSuggestNamesTheNearestWord(t *testing.T) {
	known := []string{"window", "interval", "for"}
	for word, want := range map[string]string{
		"widnow": `did you mean "window"?`, "Interval": `did you mean "interval"?`, "fro": `did you mean "for"?`,
		"something": "known here: window, interval, for", "": `known here: window, interval, for`,
	} {
		if got := diag.Suggest(word, known); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
	if got := diag.Suggest("a", nil); got != "remove it" {
		t.Errorf("nothing known: got %s", got)
	}
}

func TestChoosingNamesTheWordsThatThereAre(t *testing.T) {
	for word, want := range map[string]string{"rolback": `did you mean "rollback"?`, "abort": "write rollback, hold or notify"} {
		if got := diag.Choose(word, []string{"rollback", "hold", "notify"}); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
	if got := diag.Choose("yesterday", []string{"stable"}); got != "write stable" {
		t.Errorf("one word: got %s", got)
	}
	if got := diag.Choose("x", []string{"aaaaa", "bbbbb", "ccccc", "ddddd", "eeeee"}); got != "write one of them" {
		t.Errorf("many words: got %s", got)
	}
}

func TestFindingsAreAnErrorWhenOneOfThemIs(t *testing.T) {
	warning := diag.Finding{Position: diag.Position{File: "b.yaml", Line: 2, Column: 3}, Severity: diag.Warning, Message: "odd"}
	wrong := diag.Finding{Position: diag.Position{File: "a.yaml", Line: 9, Column: 1}, Message: "wrong", Cure: "right it"}
	whole := diag.Finding{Position: diag.Position{File: "b.yaml"}, Severity: diag.Error, Message: "unreadable"}
	if err := (diag.Findings{warning}).Err(); err != nil {
		t.Errorf("a warning is an error: %v", err)
	}
	err := diag.Findings{warning, wrong, whole}.Sorted().Err()
	if err == nil {
		t.Fatal("no error")
	}
	want := "a.yaml:9:1: error: wrong; right it\nb.yaml: error: unreadable\nb.yaml:2:3: warning: odd"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
