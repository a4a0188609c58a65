package chaos

import (
	"encoding/json"

	"github.com/serin-cd/serin/deployments"
)

// Released is the release that an entry took in, if it took one.
func Released(e deployments.Entry) (deployments.Released, bool) {
	var in struct {
		Kind string `json:"kind"`
		deployments.Released
	}
	err := json.Unmarshal(e.Input, &in)
	return in.Released, err == nil && in.Kind == "release"
}
