package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

const (
	annotation = "prometheus.io/"
	settle     = 200 * time.Millisecond
)

// group is one entry of Prometheus' file-based discovery.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// discovery writes the running pods that carry the usual annotations to a file which Prometheus watches. Debian builds
// Prometheus without its Kubernetes discovery.
type discovery struct {
	kubeconfig, file string
	changed          chan struct{}
}

func newDiscoveryCommand() *cobra.Command {
	d := discovery{changed: make(chan struct{}, 1)}
	cmd := &cobra.Command{Use: "discovery", SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		return d.run(cmd.Context())
	}}
	cmd.Flags().StringVar(&d.kubeconfig, "kubeconfig", "", "how to reach the API server")
	cmd.Flags().StringVar(&d.file, "file", "", "the file to write the targets to")
	return cmd
}

func (d discovery) run(ctx context.Context) error {
	client, err := clientOf(d.kubeconfig)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	_, err = pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { d.wake() },
		UpdateFunc: func(_, _ any) { d.wake() },
		DeleteFunc: func(any) { d.wake() },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	d.wake()
	return d.follow(pods.Lister())
}

func (d discovery) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// follow writes at most once in the settling time, however many pods change.
func (d discovery) follow(pods corelisters.PodLister) error {
	for range d.changed {
		all, err := pods.List(labels.Everything())
		if err != nil {
			return err
		}
		if err := d.write(all); err != nil {
			return err
		}
		time.Sleep(settle)
	}
	return nil
}

func (d discovery) write(pods []*corev1.Pod) error {
	groups := []group{}
	for _, pod := range pods {
		if pod.Annotations[annotation+"scrape"] == "true" && pod.Status.Phase == corev1.PodRunning && pod.Status.PodIP != "" {
			groups = append(groups, target(pod))
		}
	}
	text, err := json.Marshal(groups)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(d.file+".new", d.file)
}

func target(pod *corev1.Pod) group {
	values := map[string]string{
		"namespace": pod.Namespace, "pod": pod.Name, "node": pod.Spec.NodeName,
		"__metrics_path__": or(pod.Annotations[annotation+"path"], "/metrics"),
		"__scheme__":       or(pod.Annotations[annotation+"scheme"], "http"),
	}
	for key, value := range pod.Labels {
		values["pod_label_"+key] = value
	}
	port := or(pod.Annotations[annotation+"port"], "80")
	return group{Targets: []string{pod.Status.PodIP + ":" + port}, Labels: safe(values)}
}

// safe names labels as Prometheus allows.
func safe(values map[string]string) map[string]string {
	named := map[string]string{}
	for key, value := range values {
		named[safeName(key)] = value
	}
	return named
}

func safeName(key string) string {
	name := []rune(key)
	for i, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			name[i] = '_'
		}
	}
	return string(name)
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
