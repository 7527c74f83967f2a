package main

import (
	"context"
	"net"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	utilcompatibility "k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	generatedopenapi "k8s.io/kubernetes/pkg/generated/openapi"
	"sigs.k8s.io/metrics-server/pkg/api"
	"sigs.k8s.io/metrics-server/pkg/scraper/client"
	"sigs.k8s.io/metrics-server/pkg/server"
)

// metricsServer holds the few settings of metrics-server that the local cluster needs. Its own command line is not
// used: that package carries OpenAPI definitions generated for a newer Kubernetes and does not compile beside this one.
type metricsServer struct {
	kubeconfig string
	resolution time.Duration
	serving    *genericoptions.SecureServingOptionsWithLoopback
}

func newMetricsServerCommand() *cobra.Command {
	m := metricsServer{serving: genericoptions.NewSecureServingOptions().WithLoopback()}
	cmd := &cobra.Command{Use: "metrics-server", SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		return m.run(cmd.Context())
	}}
	cmd.Flags().StringVar(&m.kubeconfig, "kubeconfig", "", "how to reach the API server and the kubelets")
	cmd.Flags().DurationVar(&m.resolution, "metric-resolution", 10*time.Second, "time between two scrapes")
	m.serving.AddFlags(cmd.Flags())
	return cmd
}

func (m metricsServer) run(ctx context.Context) error {
	apiserver, err := m.apiserver()
	if err != nil {
		return err
	}
	clientConfig, err := clientcmd.BuildConfigFromFlags("", m.kubeconfig)
	if err != nil {
		return err
	}
	clientConfig.ContentType = "application/vnd.kubernetes.protobuf"
	config := server.Config{
		Apiserver: apiserver, Rest: clientConfig, Kubelet: kubelets(clientConfig),
		MetricResolution: m.resolution, ScrapeTimeout: m.resolution / 2,
	}
	s, err := config.Complete()
	if err != nil {
		return err
	}
	return s.RunUntil(ctx.Done())
}

func (m metricsServer) apiserver() (*genericapiserver.Config, error) {
	if err := m.serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, []net.IP{net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	config := genericapiserver.NewConfig(api.Codecs)
	if err := m.serving.ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return nil, err
	}
	if err := m.delegate(config); err != nil {
		return nil, err
	}
	namer := openapi.NewDefinitionNamer(api.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(generatedopenapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(generatedopenapi.GetOpenAPIDefinitions, namer)
	config.EffectiveVersion = utilcompatibility.DefaultBuildEffectiveVersion()
	return config, nil
}

// delegate asks the API server who a caller is and what it may do.
func (m metricsServer) delegate(config *genericapiserver.Config) error {
	authentication := genericoptions.NewDelegatingAuthenticationOptions()
	authentication.RemoteKubeConfigFile = m.kubeconfig
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, nil); err != nil {
		return err
	}
	authorization := genericoptions.NewDelegatingAuthorizationOptions()
	authorization.RemoteKubeConfigFile = m.kubeconfig
	return authorization.ApplyTo(&config.Authorization)
}

// kubelets reaches the kubelet, whose certificate is self-signed, at the node's address.
func kubelets(base *rest.Config) *client.KubeletClientConfig {
	insecure := *rest.CopyConfig(base)
	insecure.TLSClientConfig.Insecure = true
	insecure.TLSClientConfig.CAData = nil
	insecure.TLSClientConfig.CAFile = ""
	return &client.KubeletClientConfig{
		Scheme: "https", DefaultPort: 10250, Client: insecure,
		AddressTypePriority: []corev1.NodeAddressType{corev1.NodeInternalIP}, UseNodeStatusPort: true,
	}
}
