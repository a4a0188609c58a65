package deployments_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/serin-cd/serin/deployments"
)

func TestARollbackWithoutAVersionToGoBackToSaysNull(t *testing.T) {
	for _, c := range []struct {
		to   deployments.Back
		want string // "": the key is absent
	}{
		{deployments.BackTo("1.0.0"), `"to":"1.0.0"`},
		{deployments.BackTo(""), `"to":null`},
		{deployments.Back{}, ""},
	} {
		text, err := json.Marshal(deployments.EventData{To: c.to})
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(text), `"to"`); has != (c.want != "") || !strings.Contains(string(text), c.want) {
			t.Errorf("%+v: %s, want %s", c.to, text, c.want)
		}
		var back deployments.EventData
		if err := json.Unmarshal(text, &back); err != nil || back.To != c.to {
			t.Errorf("%s is read as %+v, %v", text, back.To, err)
		}
	}
}
