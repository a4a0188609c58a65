package repo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "# Page\n\nRun `make demo` or `make`, see [the machine](steps/next.go#L12) and\n" +
	"[NATS](https://nats.io).\n\n```sh\n$ RACE=required make test   # all\nbin/serin serve \\\n  --data DIR | tee log\nls\n```\n\n" +
	"```yaml\nservice: make believe\n```\n"

func TestCommandsAreReadFromBlocksAndInlineCode(t *testing.T) {
	got := map[string][][]string{"make": Commands(page, "make"), "serin": Commands(page, "serin")}
	want := map[string][][]string{
		"make":  {{"make", "test"}, {"make", "demo"}},
		"serin": {{"bin/serin", "serve", "--data", "DIR"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}

func TestBlocksKeepTheirLineAndLanguage(t *testing.T) {
	got := Blocks(page)[1]
	if diff := cmp.Diff(Block{Line: 14, Lang: "yaml", Code: "service: make believe\n"}, got); diff != "" {
		t.Errorf("second block (-want +got):\n%s", diff)
	}
}

func TestLinksLeadInsideTheRepository(t *testing.T) {
	if diff := cmp.Diff([]string{"steps/next.go"}, Links(page)); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}
