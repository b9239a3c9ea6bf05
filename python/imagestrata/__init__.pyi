# Made by tools/stubs.py.
from .annotation.agreement import agreement as agreement
from .annotation.cluster_test import ClusterTest as ClusterTest
from .annotation.cluster_test import export_test as export_test
from .annotation.cluster_test import read_test as read_test
from .annotation.coding import coding_sheet as coding_sheet
from .annotation.collecting.collected import export_answers as export_answers
from .annotation.collecting.serve import FormServer as FormServer
from .annotation.collecting.serve import serve_forms as serve_forms
from .annotation.consensus import consensus as consensus
from .annotation.labels import export_labels as export_labels
from .annotation.labels import read_labels as read_labels
from .annotation.packets import export_packets as export_packets
from .annotation.pairs import export_pairs as export_pairs
from .annotation.pairs import read_pairs as read_pairs
from .annotation.ratings import read_ratings as read_ratings
from .annotation.screening import propose_exclusions as propose_exclusions
from .clustering.cluster import cluster_images as cluster_images
from .clustering.clustering import Clustering as Clustering
from .clustering.density import DensityClustering as DensityClustering
from .clustering.edit import edit_clusters as edit_clusters
from .clustering.iterative import IterativeKMeans as IterativeKMeans
from .clustering.single import SingleKMeans as SingleKMeans
from .corpus.faces import crop_faces as crop_faces
from .corpus.relink import relink as relink
from .corpus.scan import scan_images as scan_images
from .corpus.video import extract_frames as extract_frames
from .demo.corpus import draw_demo_corpus as draw_demo_corpus
from .embeddings.embed import embed_images as embed_images
from .embeddings.embeddings import Embeddings as Embeddings
from .embeddings.reduce import reduce_embeddings as reduce_embeddings
from .encoders.registered import register_encoder as register_encoder
from .encoders.registry import list_encoders as list_encoders
from .errors import ImagestrataError as ImagestrataError
from .errors import MissingWeightsError as MissingWeightsError
from .explore.find import find_images as find_images
from .explore.gallery import image_gallery as image_gallery
from .explore.keywords import cluster_keywords as cluster_keywords
from .explore.map import map_images as map_images
from .explore.map import plot_map as plot_map
from .explore.metadata import cluster_metadata as cluster_metadata
from .explore.mistakes import plot_mistakes as plot_mistakes
from .explore.montage import plot_montage as plot_montage
from .explore.propose import propose_names as propose_names
from .explore.themes import group_clusters as group_clusters
from .explore.trace import plot_trace as plot_trace
from .explore.training import plot_confusion as plot_confusion
from .explore.training import plot_training as plot_training
from .explore.tree import plot_themes as plot_themes
from .explore.tuning import plot_tuning as plot_tuning
from .finetune.explain import explain_labels as explain_labels
from .finetune.fine_tune import fine_tune as fine_tune
from .finetune.model import FineTunedModel as FineTunedModel
from .finetune.predict import calibrate_thresholds as calibrate_thresholds
from .finetune.predict import predict_labels as predict_labels
from .finetune.rules import label_ratings as label_ratings
from .finetune.tune import tune_model as tune_model
from .labels.model import LabelModel as LabelModel
from .labels.model import label_model as label_model
from .labels.plan import plan_labels as plan_labels
from .labels.score import LabelScores as LabelScores
from .labels.score import score_labels as score_labels
from .labels.shares import label_shares as label_shares
from .posts.engagement import ShareModel as ShareModel
from .posts.engagement import share_model as share_model
from .posts.gaps import topic_gaps as topic_gaps
from .posts.link import link_posts as link_posts
from .posts.model import TopicModel as TopicModel
from .posts.model import topic_effects as topic_effects
from .posts.model import topic_model as topic_model
from .posts.network import export_network as export_network
from .posts.odds import topic_odds as topic_odds
from .posts.prevalence import topic_prevalence as topic_prevalence
from .posts.read import read_posts as read_posts
from .ratings.estimates import rating_gaps as rating_gaps
from .ratings.estimates import rating_means as rating_means
from .ratings.estimates import rating_weights as rating_weights
from .ratings.model import RatingModel as RatingModel
from .ratings.model import rating_effects as rating_effects
from .ratings.model import rating_model as rating_model
from .ratings.response import response_bounds as response_bounds
from .ratings.response import response_rates as response_rates
from .ratings.response import response_weights as response_weights
from .ratings.table import rating_table as rating_table
from .sampling.assign import assign_annotators as assign_annotators
from .sampling.pairs import sample_pairs as sample_pairs
from .sampling.reassign import reassign as reassign
from .sampling.sample import sample_images as sample_images
from .sampling.training import sample_training as sample_training
from .share.bundle import share_bundle as share_bundle
from .share.costs import costs as costs
from .share.methods import methods_paragraph as methods_paragraph
from .text.describe import describe_images as describe_images
from .text.embed import embed_text as embed_text
from .text.local import LocalModel as LocalModel
from .text.read import read_text as read_text
from .text.rekognition import Rekognition as Rekognition
from .text.server import ModelServer as ModelServer
from .text.tags import tag_frequencies as tag_frequencies
from .text.tags import tag_images as tag_images
from .validation.comparison import Comparison as Comparison
from .validation.comparison import compare_clusterings as compare_clusterings
from .validation.confidence import cluster_confidence as cluster_confidence
from .validation.improve import Improvement as Improvement
from .validation.improve import improve_clusters as improve_clusters
from .validation.improve import propose_pairs as propose_pairs
from .validation.judge import judge_pairs as judge_pairs
from .validation.next_pairs import next_pairs as next_pairs
from .validation.score import score_clustering as score_clustering
from .validation.stability import Stability as Stability
from .validation.stability import cluster_stability as cluster_stability
from .validation.sweep import sweep_clusters as sweep_clusters
from .validation.tag_comparison import TagComparison as TagComparison
from .validation.tag_comparison import compare_tags as compare_tags
from .validation.threshold import suggest_threshold as suggest_threshold
from .validation.tune import tune_clusters as tune_clusters
from .validation.tuning import Tuning as Tuning
from .validation.tuning import best_clustering as best_clustering

__all__ = [
    "ClusterTest",
    "Clustering",
    "Comparison",
    "DensityClustering",
    "Embeddings",
    "FineTunedModel",
    "FormServer",
    "ImagestrataError",
    "Improvement",
    "IterativeKMeans",
    "LabelModel",
    "LabelScores",
    "LocalModel",
    "MissingWeightsError",
    "ModelServer",
    "RatingModel",
    "Rekognition",
    "ShareModel",
    "SingleKMeans",
    "Stability",
    "TagComparison",
    "TopicModel",
    "Tuning",
    "agreement",
    "assign_annotators",
    "best_clustering",
    "calibrate_thresholds",
    "cluster_confidence",
    "cluster_images",
    "cluster_keywords",
    "cluster_metadata",
    "cluster_stability",
    "coding_sheet",
    "compare_clusterings",
    "compare_tags",
    "consensus",
    "costs",
    "crop_faces",
    "describe_images",
    "draw_demo_corpus",
    "edit_clusters",
    "embed_images",
    "embed_text",
    "explain_labels",
    "export_answers",
    "export_labels",
    "export_network",
    "export_packets",
    "export_pairs",
    "export_test",
    "extract_frames",
    "find_images",
    "fine_tune",
    "group_clusters",
    "image_gallery",
    "improve_clusters",
    "judge_pairs",
    "label_model",
    "label_ratings",
    "label_shares",
    "link_posts",
    "list_encoders",
    "map_images",
    "methods_paragraph",
    "next_pairs",
    "plan_labels",
    "plot_confusion",
    "plot_map",
    "plot_mistakes",
    "plot_montage",
    "plot_themes",
    "plot_trace",
    "plot_training",
    "plot_tuning",
    "predict_labels",
    "propose_exclusions",
    "propose_names",
    "propose_pairs",
    "rating_effects",
    "rating_gaps",
    "rating_means",
    "rating_model",
    "rating_table",
    "rating_weights",
    "read_labels",
    "read_pairs",
    "read_posts",
    "read_ratings",
    "read_test",
    "read_text",
    "reassign",
    "reduce_embeddings",
    "register_encoder",
    "relink",
    "response_bounds",
    "response_rates",
    "response_weights",
    "sample_images",
    "sample_pairs",
    "sample_training",
    "scan_images",
    "score_clustering",
    "score_labels",
    "serve_forms",
    "share_bundle",
    "share_model",
    "suggest_threshold",
    "sweep_clusters",
    "tag_frequencies",
    "tag_images",
    "topic_effects",
    "topic_gaps",
    "topic_model",
    "topic_odds",
    "topic_prevalence",
    "tune_clusters",
    "tune_model",
]
__version__: str
