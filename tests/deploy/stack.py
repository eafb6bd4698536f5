"""Creates the stack in moto, an emulator that did not learn CloudFormation from us, once for every pair of values of
its parameters. `python tests/deploy/stack.py deploy/cloudformation.yaml`; needs moto[cloudformation,...] and PyYAML.

Moto resolves references, attributes and substitutions, and makes the resources that it knows. What it does not know is
in NOT_MADE, with what stands in for the proof. Conditions are resolved here: moto reads `!Condition` as another
function, and stumbles over AWS::NoValue in a list.
"""

import itertools
import json
import logging
import os
import re
import sys
import warnings

import boto3
import yaml
from moto import mock_aws

# Types that moto accepts and does not make. tests/deploy/*.rs read these in the template.
NOT_MADE = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::IAM::RolePolicy",
    "AWS::Logs::MetricFilter",
    "AWS::SES::ConfigurationSet",
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}

ACCOUNT, REGION = "123456789012", "eu-central-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
ALWAYS = {"ImageTag": "1.0.0", "Sender": "Events <events@example.com>", "SenderIdentity": "example.com"}
# Each choice is what goes together; every two choices of two rows meet in at least one stack.
CHOICES = [
    [{}, {"SqsUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/lambda", "DeadLetterQueueName": "dead"}, {"TopicArn": TOPIC},
     {"TopicArn": TOPIC.replace(REGION, "eu-west-1")}],
    [{"CodecommitRepo": "templates"}, {"TemplateBucket": "templates"}],
    [{}, {"Telemetry": "off"}, {"Exporters": "otlp", "CollectorRepository": "collector"}],
    [{}, {"Feedback": "on"}, {"Feedback": "on", "ConfigurationSet": "mine"}, {"ConfigurationSet": "mine"}],
    [{}, {"LedgerTable": "create"}, {"LedgerTable": "mails"}],
    [{}, {"ClusterName": "apps", "Capacity": "FARGATE_SPOT"}],
    [{}, {"AlarmTopicArn": TOPIC}, {"AlarmTopicArn": TOPIC, "Reputation": "off"}],
    [{}, {"MinTasks": "0", "MaxTasks": "0"}],
    [{}, {"KmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1", "ExtraSecurityGroupId": "sg-12"}],
    [{}, {"MaxReceiveCount": "2", "TaskSize": "large", "Architecture": "X86_64"}],
]


def tagged(loader, suffix, node):
    """A short tag in its long form."""
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    build = kinds.get(type(node), loader.construct_mapping)
    value = build(node) if isinstance(node, yaml.ScalarNode) else build(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt":
        return {"Fn::GetAtt": value.split(".", 1)}
    return {f"Fn::{suffix}": value}


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's tags, dates left as text."""


Loader.add_multi_constructor("!", tagged)
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

NOTHING = {"Ref": "AWS::NoValue"}


class Conditions:
    """Resolves what depends on parameters alone."""

    def __init__(self, template, parameters):
        self.named = template["Conditions"]
        defaults = {name: str(about.get("Default", "")) for name, about in template["Parameters"].items()}
        self.parameters = {**defaults, **parameters}

    def holds(self, condition):
        (function, argument), = condition.items()
        if function == "Condition":
            return self.holds(self.named[argument])
        if function == "Fn::Equals":
            left, right = (self.text(one) for one in argument)
            return left == right
        parts = [self.holds(one) for one in argument]
        return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[function]

    def text(self, value):
        """What a side of a comparison comes to: a text, a parameter, or a part of one."""
        if not isinstance(value, dict):
            return str(value)
        (function, argument), = value.items()
        if function == "Ref":
            return REGION if argument == "AWS::Region" else self.parameters[argument]
        if function == "Fn::Sub":
            return re.sub(r"\$\{(\w+)\}", lambda found: self.parameters[found[1]], argument)
        assert function == "Fn::Select", f"{function} is not known here"
        at, split = argument
        by, whole = split["Fn::Split"]
        return self.text(whole).split(by)[int(at)]

    def resolve(self, value):
        if isinstance(value, list):
            resolved = [self.resolve(one) for one in value]
            return [one for one in resolved if one != NOTHING]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Fn::If"}:
            name, yes, no = value["Fn::If"]
            return self.resolve(yes if self.holds(self.named[name]) else no)
        resolved = {key: self.resolve(one) for key, one in value.items()}
        return {key: one for key, one in resolved.items() if one != NOTHING}

    def template(self, template):
        """The template without conditions."""
        result = {key: value for key, value in template.items() if key not in ("Conditions", "Rules", "Metadata")}
        for part in ("Resources", "Outputs"):
            kept = {
                name: {key: value for key, value in about.items() if key != "Condition"}
                for name, about in template[part].items()
                if "Condition" not in about or self.holds({"Condition": about["Condition"]})
            }
            result[part] = self.resolve(kept)
        return result


def pairwise(rows):
    """Few combinations in which every pair of two rows' choices occurs."""
    wanted = {
        ((a, i), (b, j))
        for a, b in itertools.combinations(range(len(rows)), 2)
        for i in range(len(rows[a]))
        for j in range(len(rows[b]))
    }
    while wanted:
        (a, i), (b, j) = min(wanted)
        chosen = {a: i, b: j}
        for row in range(len(rows)):
            if row not in chosen:
                gain = lambda one: sum(
                    tuple(sorted([(row, one), other])) in wanted for other in chosen.items()
                )
                chosen[row] = max(range(len(rows[row])), key=gain)
        met = set(itertools.combinations(sorted(chosen.items()), 2))
        wanted -= met
        yield [rows[row][one] for row, one in sorted(chosen.items())]


@mock_aws
def create(template, parameters):
    """Creates one stack; the types of its resources that were made, and those that were not."""
    network = boto3.client("ec2", REGION)
    vpc = network.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = network.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    if "ClusterName" in parameters:
        boto3.client("ecs", REGION).create_cluster(clusterName=parameters["ClusterName"])
    parameters = {**ALWAYS, "VpcId": vpc, "SubnetIds": subnet, **parameters}
    plain = Conditions(template, parameters).template(template)
    client = boto3.client("cloudformation", REGION)
    client.create_stack(
        StackName="notifier",
        TemplateBody=json.dumps(plain),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    stack = client.describe_stacks(StackName="notifier")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert set(outputs) == set(plain["Outputs"]), outputs
    assert all(outputs.values()), outputs
    made = client.describe_stack_resources(StackName="notifier")["StackResources"]
    made = {one["LogicalResourceId"] for one in made if one.get("PhysicalResourceId")}
    kinds = {name: about["Type"] for name, about in plain["Resources"].items()}
    look(plain, parameters, outputs)
    return {kinds[name] for name in made}, {kind for name, kind in kinds.items() if name not in made}


def look(plain, parameters, outputs):
    """What stands there is what the parameters ask for."""
    tasks = boto3.client("ecs", REGION)
    family = tasks.list_task_definitions()["taskDefinitionArns"][0]
    task = tasks.describe_task_definition(taskDefinition=family)["taskDefinition"]
    containers = {one["name"]: one for one in task["containerDefinitions"]}
    assert ("collector" in containers) == (parameters.get("Telemetry") != "off")
    daemon = {one["name"]: one.get("value") for one in containers["daemon"]["environment"]}
    assert daemon["SQS_URL"] == outputs["QueueUrl"], daemon
    assert containers["daemon"]["image"].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/organizer-notifier:")
    service = tasks.describe_services(cluster=outputs["ClusterName"], services=[outputs["ServiceName"]])["services"][0]
    if "MaxTasks" in parameters:
        assert service["desiredCount"] == 0, service["desiredCount"]
    if "SqsUrl" not in parameters:
        queue = boto3.client("sqs", REGION).get_queue_attributes(QueueUrl=outputs["QueueUrl"], AttributeNames=["All"])
        redrive = json.loads(queue["Attributes"]["RedrivePolicy"])
        assert str(redrive["maxReceiveCount"]) == parameters.get("MaxReceiveCount", "5"), redrive
        assert redrive["deadLetterTargetArn"] == outputs["DeadLetterQueueArn"]


def main():
    # Moto tells of each resource that it does not know; the last line does, too.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore", UserWarning)
    os.environ.update(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_DEFAULT_REGION=REGION)
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml.load(file, Loader)
    stacks, made, not_made = 0, set(), set()
    for chosen in pairwise(CHOICES):
        parameters = {}
        for choice in chosen:
            parameters.update(choice)
        try:
            one, other = create(template, parameters)
        except Exception:
            print(f"with {parameters}", file=sys.stderr)
            raise
        stacks, made, not_made = stacks + 1, made | one, not_made | other
    print(f"{stacks} stacks created")
    print("made:", *sorted(made))
    print("not made by moto:", *sorted(not_made))
    assert not_made <= NOT_MADE, f"moto does not make {sorted(not_made - NOT_MADE)}"


if __name__ == "__main__":
    main()
