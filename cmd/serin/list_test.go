package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListNamesStateStepTrafficAndAge(t *testing.T) {
	p := newPast(t)
	p.planned()
	list := func(args ...string) string {
		p.out.Reset()
		if code := run(t.Context(), append(args, "--data", "data"), p.env); code != exitOK {
			t.Fatalf("%q: status %d: %s", args, code, p.out)
		}
		return p.out.String()
	}
	const want = `ENVIRONMENT  SERVICE   VERSION  STABLE  PHASE   STEP    TRAFFIC  SINCE  NOTE
production   checkout  1.2      -       baking  1 of 4  5 %      1m0s   
`
	got := list("list")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(got, list("status")); diff != "" {
		t.Errorf("it is not what status says: %s", diff)
	}
	if diff := cmp.Diff(list("list", "-o", "json"), list("status", "-o", "json")); diff != "" {
		t.Error(diff)
	}
	if got := list("list", "--env", "staging"); got != "no rollouts yet\n" {
		t.Errorf("of another environment: %s", got)
	}
}
