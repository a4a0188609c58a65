package flags_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

func parseSource(t *testing.T, text string) (*flags.Source, error) {
	t.Helper()
	file, docs := yamldoc.Parse("policy.yaml", []byte(text))
	s := flags.ParseSource(docs[0].Map("flags").Get("flags"))
	return s, file.Findings.Err()
}

func TestAPolicyNamesTheSystemThatKeepsItsFlags(t *testing.T) {
	got, err := parseSource(t, "flags: {unleash: {url: https://u.example/, token_file: /t, frontend_token_file: /f}}")
	want := &flags.Source{Kind: flags.Unleash, URL: "https://u.example", Project: "default", Environment: "production", TokenFile: "/t", ReadKeyFile: "/f", ConfirmWaits: 10 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if own, err := parseSource(t, "x: 1\n"); own != nil || own.ID() != "" || own.String() != "Serin" || err == nil {
		t.Errorf("without a section: %v, %v", own, err)
	}
}

func TestSourcesThatMeanTheSameAreOne(t *testing.T) {
	a, _ := parseSource(t, "flags: {file: {path: /f, ofrep: http://o.example}}")
	b, _ := parseSource(t, "flags: {file: {ofrep: http://o.example/, path: /f, confirm_within: 10s}}")
	c, _ := parseSource(t, "flags: {file: {path: /g, ofrep: http://o.example}}")
	if a.ID() != b.ID() || a.ID() == c.ID() {
		t.Errorf("%s, %s, %s: want the same, and another", a.ID(), b.ID(), c.ID())
	}
}
