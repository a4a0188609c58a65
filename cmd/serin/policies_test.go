package main

import (
	"strings"
	"testing"
)

func TestAFileOfPoliciesThatNATSCannotKeepIsRefusedWithItsName(t *testing.T) {
	const policy = "service: checkout\nprometheus: http://127.0.0.1:1\ntraffic: {version_flag: v}\nrules: [{name: a, query: 'up{version=\"{{version}}\"}', min: 1}]\n"
	for size, want := range map[int]int{1000: exitOK, maxPolicyFile + 1: exitNo} {
		p := newPlace(t)
		p.file("large.yaml", policy+"# "+strings.Repeat("x", size))
		if code := p.serin(nil, "check", "large.yaml"); code != want || want != exitOK && !strings.Contains(p.out.String(), "large.yaml:1:1: error: the file has") {
			t.Errorf("%d bytes: status %d, want %d: %s", size, code, want, p.out.String()[:min(p.out.Len(), 500)])
		}
	}
}
