package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/flags"
	"github.com/serin-cd/serin/steps"
)

func TestAnAudienceIsShownInPlaceOfZeroPercent(t *testing.T) {
	testers := steps.Audience{{"email": {"*@example.com"}}}
	r := steps.Rollout{
		Phase: steps.Baking, Version: "1.1.0", Audience: testers, ConfirmedAudience: testers,
		Plan: steps.Plan{Steps: []steps.Step{{Audience: testers}, {Share: 500}, {Share: steps.All}}},
	}
	var out bytes.Buffer
	printStatus(&out, ten, deployments.Asked{State: deployments.State{Rollout: &r}}, deployments.Entry{})
	for _, want := range []string{
		"steps     [audience email=*@example.com] → 5 % → 100 %",
		"traffic   requested audience email=*@example.com, confirmed audience email=*@example.com",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if got := reached(deployments.Summary{Audience: testers}); got != "audience email=*@example.com" {
		t.Errorf("reached %q", got)
	}
	f, err := flags.Parse("k", []byte(`{"state":"ENABLED","variants":{"1.0.0":"1.0.0"},"defaultVariant":"1.0.0"}`))
	if err != nil {
		t.Fatal(err)
	}
	f, err = flags.Ramp{Fence: flags.Fence{Rollout: "r"}, Variant: "1.1.0", Base: "1.0.0", Share: 500, Also: flags.Audience(testers)}.Edit(f)
	if err != nil {
		t.Fatal(err)
	}
	if got := served("k", f.Bytes()); got != "1.0.0, and 1.1.0 to 5 % and audience email=*@example.com" {
		t.Errorf("served %q", got)
	}
}
