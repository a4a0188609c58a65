package eventschema_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/serin-cd/serin/deployments/eventschema"
)

var update = flag.Bool("update", false, "write the schemas anew")

func TestTheSchemasInTheRepositoryAreThoseOfTheTypes(t *testing.T) {
	for file, want := range map[string][]byte{"events.schema.json": eventschema.Events(), "release.schema.json": eventschema.Release()} {
		if *update {
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: go test ./deployments/eventschema -update (%v)", file, err)
		}
	}
}
