package policyfile

import (
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/flags"
)

// Flags is the one system that keeps the policy's flags.
type Flags struct {
	Unleash      *Unleash      `yaml:"unleash,omitempty" doc:"An Unleash server, for flags that are on or off."`
	LaunchDarkly *LaunchDarkly `yaml:"launchdarkly,omitempty" doc:"LaunchDarkly."`
	File         *FlagFile     `yaml:"file,omitempty" doc:"A flagd document in a file that flagd, or a provider in the application, follows."`
	Webhook      *FlagWebhook  `yaml:"webhook,omitempty" doc:"Anything that takes signed requests."`
}

// Unleash is a server of that name.
type Unleash struct {
	URL               URL      `yaml:"url" required:"true" doc:"The server's URL, without /api."`
	Project           Text     `yaml:"project,omitempty" default:"default" doc:"The flag's project."`
	Environment       Text     `yaml:"environment,omitempty" default:"production" doc:"The environment, as Unleash names it."`
	TokenFile         string   `yaml:"token_file" required:"true" doc:"File with a token that may change flags."`
	FrontendTokenFile string   `yaml:"frontend_token_file" required:"true" doc:"File with a frontend token, by which flags are evaluated."`
	ConfirmWithin     Duration `yaml:"confirm_within,omitempty" default:"10s" doc:"How long one confirmation may take, up to 20s."`
}

// LaunchDarkly is the service of that name.
type LaunchDarkly struct {
	URL           URL      `yaml:"url,omitempty" default:"https://app.launchdarkly.com" doc:"The API's URL."`
	EvaluateURL   URL      `yaml:"evaluate_url,omitempty" default:"https://clientsdk.launchdarkly.com" doc:"The URL of client-side evaluation."`
	Project       Text     `yaml:"project" required:"true" doc:"The project's key."`
	Environment   Text     `yaml:"environment" required:"true" doc:"The environment's key."`
	TokenFile     string   `yaml:"token_file" required:"true" doc:"File with an access token that may change flags."`
	ClientSideID  Text     `yaml:"client_side_id" required:"true" doc:"The environment's client-side ID, which is no secret."`
	ConfirmWithin Duration `yaml:"confirm_within,omitempty" default:"10s" doc:"How long one confirmation may take, up to 20s."`
}

// FlagFile is a flagd document.
type FlagFile struct {
	Path           string   `yaml:"path" required:"true" doc:"The file, JSON."`
	OFREP          URL      `yaml:"ofrep" required:"true" doc:"URL of what evaluates it for confirmation, by OFREP: a flagd that follows the file."`
	OFREPTokenFile string   `yaml:"ofrep_token_file,omitempty" doc:"File with that endpoint's bearer token."`
	ConfirmWithin  Duration `yaml:"confirm_within,omitempty" default:"10s" doc:"How long one confirmation may take, up to 20s."`
}

// FlagWebhook is whatever takes signed requests.
type FlagWebhook struct {
	URL            URL      `yaml:"url" required:"true" doc:"Where requests are sent."`
	SecretFile     string   `yaml:"secret_file" required:"true" doc:"File with the secret that signs them."`
	OFREP          URL      `yaml:"ofrep" required:"true" doc:"URL of what evaluates the flags for confirmation, by OFREP."`
	OFREPTokenFile string   `yaml:"ofrep_token_file,omitempty" doc:"File with that endpoint's bearer token."`
	ConfirmWithin  Duration `yaml:"confirm_within,omitempty" default:"10s" doc:"How long one confirmation may take, up to 20s."`
}

func flagSource(p deployments.Policy) *Flags {
	s := p.Flags
	if s == nil {
		return nil
	}
	waits := duration(s.ConfirmWaits)
	switch s.Kind {
	case flags.Unleash:
		return &Flags{Unleash: &Unleash{URL: URL(s.URL), Project: Text(s.Project), Environment: Text(s.Environment), TokenFile: s.TokenFile, FrontendTokenFile: s.ReadKeyFile, ConfirmWithin: waits}}
	case flags.LaunchDarkly:
		return &Flags{LaunchDarkly: &LaunchDarkly{URL: URL(s.URL), EvaluateURL: URL(s.ReadURL), Project: Text(s.Project), Environment: Text(s.Environment),
			TokenFile: s.TokenFile, ClientSideID: Text(s.ReadKey), ConfirmWithin: waits}}
	case flags.File:
		return &Flags{File: &FlagFile{Path: s.Path, OFREP: URL(s.ReadURL), OFREPTokenFile: s.ReadKeyFile, ConfirmWithin: waits}}
	case flags.Webhook:
		return &Flags{Webhook: &FlagWebhook{URL: URL(s.URL), SecretFile: s.SecretFile, OFREP: URL(s.ReadURL), OFREPTokenFile: s.ReadKeyFile, ConfirmWithin: waits}}
	}
	return nil
}
