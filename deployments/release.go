package deployments

import (
	"encoding/json"
)

// Release is the event "version V of service S runs beside stable and has no traffic yet".
// Service and environment come from the subject it was published on.
type Release struct {
	Slot
	ID       string          `json:"id"`                 // of the event: the same id twice is the same release
	Version  string          `json:"version"`            // what the {{version}} of rules stands for
	Artifact string          `json:"artifact,omitempty"` // a package URL
	Commit   string          `json:"commit,omitempty"`
	Ref      string          `json:"ref,omitempty"`
	Author   string          `json:"author,omitempty"`
	RunURL   string          `json:"run_url,omitempty"`
	Change   string          `json:"change_url,omitempty"`
	Extra    json.RawMessage `json:"extra,omitempty"` // fields Serin does not know, echoed in events
}
