package ldtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

type instruction struct {
	Kind           string
	VariationID    string
	RolloutWeights map[string]int
	ContextKind    string `json:"rolloutContextKind"`
	Key            string
	Name           string
	Values         []string
	Value          any
}

// write does a semantic patch as a whole or not at all.
func (s *Server) write(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/json; domain-model=launchdarkly.semanticpatch" {
		refuse(w, http.StatusBadRequest, "No semantic patch")
		return
	}
	var asked struct {
		EnvironmentKey, Comment string
		Instructions            []instruction
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.EnvironmentKey != Environment || len(asked.Instructions) == 0 {
		refuse(w, http.StatusBadRequest, "No semantic patch for the environment")
		return
	}
	s.meanwhile()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patches = append(s.patches, Patch{r.URL.RawQuery, r.Header.Clone(), asked.Comment, string(body)})
	if s.refused(w, r, body) {
		return
	}
	old, ok := s.flags[r.PathValue("flag")]
	if !ok || r.PathValue("project") != Project {
		refuse(w, http.StatusNotFound, "Unknown flag key")
		return
	}
	f, err := old.do(asked.Instructions)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.flags[f.Key] = f
	s.tell(f)
	answer(w, f.rest())
}

// meanwhile is the moment in which somebody else writes.
func (s *Server) meanwhile() {
	s.mu.Lock()
	before := s.before
	s.before = nil
	s.mu.Unlock()
	if before != nil {
		before()
	}
}

// refused answers as was asked for by Refuse.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if len(s.answers) == 0 {
		return false
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	if a.Unless != "" && (strings.Contains(r.URL.RawQuery, a.Unless) || bytes.Contains(body, []byte(a.Unless))) ||
		a.Only != "" && !bytes.Contains(body, []byte(a.Only)) {
		return false
	}
	for key, value := range a.Header {
		w.Header().Set(key, value)
	}
	refuse(w, a.Status, a.Message)
	return true
}

// do is the flag with the instructions done. One save raises each version once.
func (f *Flag) do(steps []instruction) (*Flag, error) {
	g := f.clone()
	environment, settings := false, false
	for _, step := range steps {
		if err := g.step(step); err != nil {
			return nil, err
		}
		ofFlag := step.Kind == "addVariation" || strings.HasSuffix(step.Kind, "CustomProperties")
		settings = settings || ofFlag
		environment = environment || !ofFlag || step.Kind == "addVariation"
	}
	if environment {
		g.version++
	}
	if settings {
		g.settings++
	}
	return g, nil
}

func (f *Flag) step(step instruction) error {
	switch step.Kind {
	case "turnFlagOn", "turnFlagOff":
		f.On = step.Kind == "turnFlagOn"
		return nil
	case "updateOffVariation":
		index, err := f.index(step.VariationID)
		f.Off = &index
		return err
	case "updateFallthroughVariationOrRollout":
		return f.fallThrough(step)
	case "addVariation":
		if slices.Contains(f.Variations, step.Value) {
			return errors.New("duplicate variation")
		}
		f.Variations = append(f.Variations, step.Value)
		return nil
	case "addCustomProperties", "replaceCustomProperties":
		return f.property(step)
	default:
		return fmt.Errorf("unknown instruction %q", step.Kind)
	}
}

func (f *Flag) fallThrough(step instruction) error {
	if step.VariationID != "" {
		index, err := f.index(step.VariationID)
		f.Fallthrough = Serve{Variation: &index}
		return err
	}
	sum, rollout := 0, &Rollout{ContextKind: step.ContextKind}
	for i := range f.Variations { // in the order of the variations, each with a weight
		weight := step.RolloutWeights[id(f, i)]
		rollout.Variations = append(rollout.Variations, Weight{i, weight})
		sum += weight
	}
	for variation := range step.RolloutWeights {
		if _, err := f.index(variation); err != nil {
			return err
		}
	}
	f.Fallthrough = Serve{Rollout: rollout}
	if sum != 100000 {
		return fmt.Errorf("rollout weights add up to %d", sum)
	}
	return nil
}

// property keeps to LaunchDarkly's limits.
func (f *Flag) property(step instruction) error {
	_, exists := f.Properties[step.Key]
	switch {
	case exists == (step.Kind == "addCustomProperties"):
		return fmt.Errorf("custom property %q exists: %t", step.Key, exists)
	case len(step.Key) > 64, step.Name == "", len(step.Name) > 64, len(step.Values) == 0, len(step.Values) > 64:
		return errors.New("custom property out of limits")
	}
	for _, v := range step.Values {
		if v == "" || len([]rune(v)) > 64 {
			return errors.New("value of a custom property out of limits")
		}
	}
	f.Properties[step.Key] = step.Values
	return nil
}

func (f *Flag) index(variation string) (int, error) {
	for i := range f.Variations {
		if id(f, i) == variation {
			return i, nil
		}
	}
	return 0, fmt.Errorf("unknown variation %q", variation)
}
